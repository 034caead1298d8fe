"""One training step of a typical pack, for measuring which width pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from autopeft.training.batches import Split
from autopeft.training.loop import train_step
from autopeft.training.pack import Job, Pack
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
) -> Callable[[int, int], None]:
    """A function (entry layer, K) that runs one training step of such a pack and waits for it.

    Args:
        model: the frozen base.
        stacked: makes the pack of some jobs.
        backbone: its layers and sites.
        modules: PEFT module types by name.
        task: its loss.
        split: where the batch comes from.
        rows: of the batch.
    """
    packs: dict[tuple[int, int], tuple[Pack, PackedAdamW]] = {}
    indices = list(range(min(rows, len(split))))

    def step(entry: int, width: int) -> None:
        if (entry, width) not in packs:
            packs.clear()
            configuration = _lora_from(entry, backbone, modules)
            pack = stacked([Job(configuration, seed) for seed in range(width)])
            rates = torch.zeros(width, device=split.device)
            packs[entry, width] = pack, PackedAdamW(list(pack.parameters()), rates)
        pack, optimiser = packs[entry, width]
        with pack.attached(model):
            train_step(model, pack, optimiser, task, split=split, indices=indices)
        if split.device.type == "cuda":
            torch.cuda.synchronize(split.device)

    return step


def _lora_from(entry: int, backbone: Backbone, modules: Mapping[str, PeftModule]) -> Configuration:
    """LoRA of rank 8 on every linear from a layer upwards: a typical load."""
    settings: dict[str, Any] = {**modules["lora"].defaults, "rank": 8}
    placed = (s for s in backbone.sites if s.kind == "linear" and s.layer >= entry)
    return Configuration(tuple(Placement(s.name, "lora", settings) for s in placed), 1e-3)
