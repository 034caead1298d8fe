"""One training step of a typical pack, for measuring which width pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from autopeft.training.batches import Split
from autopeft.training.loop import train_step
from autopeft.training.pack import Job, Pack
from autopeft.training.pack_load import load_of
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Backbone, Configuration, PeftModule, Placement, Task


def timer(
    model: nn.Module,
    stacked: Callable[[Sequence[Job]], Pack],
    *,
    backbone: Backbone,
    modules: Mapping[str, PeftModule],
    task: Task,
    split: Split,
    rows: int,
) -> Callable[[int, int, int], int]:
    """A function (entry layer, K, rank) that runs one training step of such a pack of LoRA.

    It waits for the device, and gives the parameters of one configuration.

    Args:
        model: the frozen base.
        stacked: makes the pack of some jobs.
        backbone: its layers and sites.
        modules: PEFT module types by name.
        task: its loss.
        split: where the batch comes from.
        rows: of the batch.
    """
    packs: dict[tuple[int, int, int], tuple[Pack, PackedAdamW]] = {}
    indices = _typical(split, rows)

    def step(entry: int, width: int, rank: int) -> int:
        key = (entry, width, rank)
        if key not in packs:
            packs.clear()
            configuration = _lora_from(entry, backbone, modules, rank)
            pack = stacked([Job(configuration, seed) for seed in range(width)])
            rates = torch.zeros(width, device=split.device)
            packs[key] = pack, PackedAdamW(list(pack.parameters()), rates)
        pack, optimiser = packs[key]
        with pack.attached(model):
            train_step(model, pack, optimiser, task, split=split, indices=indices)
        if split.device.type == "cuda":
            torch.cuda.synchronize(split.device)
        return load_of(pack.jobs[0].configuration, backbone, modules).total

    return step


def _typical(split: Split, rows: int) -> list[int]:
    """Rows of about the median length: batches are made of rows of similar length."""
    lengths = split.lengths
    order = sorted(range(len(split)), key=lambda i: lengths[i])
    start = max(0, (len(order) - rows) // 2)
    return order[start : start + rows]


def _lora_from(
    entry: int, backbone: Backbone, modules: Mapping[str, PeftModule], rank: int
) -> Configuration:
    """LoRA on every linear from a layer upwards: a typical load."""
    settings: dict[str, Any] = {**modules["lora"].defaults, "rank": rank}
    placed = (s for s in backbone.sites if s.kind == "linear" and s.layer >= entry)
    return Configuration(tuple(Placement(s.name, "lora", settings) for s in placed), 1e-3)
