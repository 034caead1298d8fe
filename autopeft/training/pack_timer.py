"""One training step of a typical pack, for measuring which width pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from autopeft.training.batches import Split
from autopeft.training.loop import train_step
from autopeft.training.pack import Job, Pack
from autopeft.training.pack_load import Probe, load_of
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.training.saved_bytes import STATE_BYTES, saved_bytes
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
) -> Callable[[int, int, int], Probe]:
    """A function (entry layer, K, rank) that runs one training step of such a pack of LoRA.

    It waits for the device. Memory is counted in the first step of each pack and stated for
    the longest batch that the split can give.

    Args:
        model: the frozen base.
        stacked: makes the pack of some jobs.
        backbone: its layers and sites.
        modules: PEFT module types by name.
        task: its loss.
        split: where the batch comes from.
        rows: of the batch.
    """
    packs: dict[tuple[int, int, int], tuple[Pack, PackedAdamW, Probe]] = {}
    indices = _typical(split, rows)

    def run(pack: Pack, optimiser: PackedAdamW) -> None:
        with pack.attached(model):
            train_step(model, pack, optimiser, task, split=split, indices=indices)
        if split.device.type == "cuda":
            torch.cuda.synchronize(split.device)

    def first(entry: int, width: int, rank: int) -> tuple[Pack, PackedAdamW, Probe]:
        configuration = _lora_from(entry, backbone, modules, rank)
        pack = stacked([Job(configuration, seed) for seed in range(width)])
        optimiser = PackedAdamW(list(pack.parameters()), torch.zeros(width, device=split.device))
        with saved_bytes([*model.parameters(), *pack.parameters()]) as saved:
            run(pack, optimiser)
        scale = rows * max(split.lengths) / sum(split.lengths[i] for i in indices)
        trained = STATE_BYTES * sum(p[0].numel() for p in pack.parameters())
        memory = trained + math.ceil(scale * saved.total / width)
        return pack, optimiser, Probe(load_of(configuration, backbone, modules).total, memory)

    def step(entry: int, width: int, rank: int) -> Probe:
        key = (entry, width, rank)
        if key not in packs:
            packs.clear()
            packs[key] = first(entry, width, rank)
        pack, optimiser, probe = packs[key]
        run(pack, optimiser)
        return probe

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
