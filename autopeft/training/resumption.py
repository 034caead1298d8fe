"""A job taken out of one pack and put into another: weights, and what AdamW and methods know.

Packs that train the same configurations to the next rung need not be the packs that brought them
there: the sites of a job, and the padding of its ranks, follow its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from autopeft.training.pack import Pack
from autopeft.training.packed_adamw import MOMENTS, PackedAdamW


@dataclass(frozen=True)
class Paused:
    """What one job needs to go on."""

    step: int
    """Steps done."""
    tensors: dict[str, torch.Tensor]
    """As `Pack.export`."""
    moments: dict[str, dict[str, torch.Tensor]]
    """Name of a moment of AdamW -> the same names -> its tensors."""
    memory: dict[str, torch.Tensor] = field(default_factory=dict)
    """As `Pack.memory`."""


def pause(pack: Pack, optimiser: PackedAdamW, step: int, *, last: bool = False) -> list[Paused]:
    """Every job of the pack as it is after that many steps; only its weights after the last."""
    moments: list[dict[str, dict[str, torch.Tensor]]] = [{} for _ in pack.jobs]
    for name in () if last else MOMENTS:
        with optimiser.showing(name):
            for k, mine in enumerate(moments):
                mine[name] = pack.export(k)
    return [
        Paused(step, pack.export(k), mine, {} if last else pack.memory(k))
        for k, mine in enumerate(moments)
    ]


def resume(pack: Pack, optimiser: PackedAdamW, paused: Sequence[Paused]) -> None:
    """Put the jobs, all paused at the same step, into a new pack of them."""
    for k, job in enumerate(paused):
        pack.restore(k, job.tensors)
        pack.recall(k, job.memory)
    for name in MOMENTS:
        with optimiser.showing(name):
            for k, job in enumerate(paused):
                pack.restore(k, job.moments[name])
    optimiser.resume_at(paused[0].step)
