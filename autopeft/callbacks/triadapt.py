"""TriAdaptLoRA: ranks grow where the core of `B C A` has grown most.

Liang et al., TriAdaptLoRA: Brain-Inspired Triangular Adaptive Low-Rank Adaptation for
Parameter-Efficient Fine-Tuning (2501.08008). C, a lower and an upper triangle, is one square
matrix; the scale is alpha over the current rank. A site's score is the increase of `|C|` per growth
block since the last round; no gradient is read.

Where this differs from the public tuner: B is not zero where C is, so that the first block and
every later one can learn; m counts ranks, and each round gives no more than m; ties go to the lower
site; the target is met exactly and never passed; the diagonal exists once; C grows with the rank,
so that the falling scale leaves the function as it was. The parameters of the largest rank are held
throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from autopeft.callbacks.growth import Growth, Rounds
from autopeft.callbacks.latecomers import NEVER
from autopeft.training.triplets import PackedDirections
from autopeft.types import Lora, Settings, Site

START = 1e-5
"""Diagonal of C of a direction that joins."""


class PackedTriAdapt(PackedDirections):
    """With C [K, r, r] between A and B."""

    name = "triadapt"
    C: nn.Parameter
    grown: torch.Tensor
    """Step from which each direction is trained, [K, r]."""
    blocks: torch.Tensor
    """How often the site has grown, and 1, [K]."""
    before: torch.Tensor
    """|C| per block when ranks last grew, [K]."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(site, settings, seeds)
        self.stack("C", [torch.zeros(rank, rank) for rank in self.sizes], padded=(0, 1))
        self.scale([float(s["alpha"]) if s is not None else 0.0 for s in settings])
        births = [torch.full((rank,), NEVER) for rank in self.sizes]
        for one in births:
            one[:1] = 0
        self.remember("grown", births, padded=0)
        self.remember("blocks", [torch.ones(())] * self.count)
        self.remember("before", [torch.zeros(())] * self.count)

    @property
    def born(self) -> torch.Tensor:
        """A direction is trained from when it joins."""
        return self.grown

    def births(self) -> Mapping[nn.Parameter, torch.Tensor]:
        """Of an entry of C, when the later of its two directions joined."""
        rows, columns = self.grown.unsqueeze(2), self.grown.unsqueeze(1)
        return {self.A: rows, self.B: columns, self.C: torch.maximum(rows, columns)}

    def between(self, low: torch.Tensor) -> torch.Tensor:
        """`C A x` times alpha over the current rank."""
        core = self.C.transpose(1, 2)
        ranks = torch.count_nonzero(_diagonal(self.C.detach()), dim=1).clamp(min=1)
        scaled = core * (self.factor / ranks.view(-1, 1, 1))
        return torch.bmm(low, scaled.to(low.dtype))


@dataclass
class TriAdapt(Growth):
    """Growth by the increase of the core's norm."""

    kind = PackedTriAdapt

    def amount(self, missing: int, rounds: Rounds, now: int) -> int:
        """The share of what is missing that rises to 1 with the rounds, at least 1."""
        return max(1, int(missing * (now - rounds.first) / (rounds.last - rounds.first)))

    def score(self, layer: PackedTriAdapt) -> torch.Tensor:
        """Increase of the norm per block since it was last asked for."""
        norm: torch.Tensor = torch.linalg.matrix_norm(layer.C) / layer.blocks
        increase = norm - layer.before
        layer.before.copy_(norm)
        return increase

    @torch.no_grad()
    def grow(self, layer: PackedTriAdapt, k: int, new: slice, now: int) -> None:
        """Directions join with next to no core; C of the others makes up for the scale."""
        layer.C[k, : new.start, : new.start] *= new.stop / new.start
        layer.before[k] *= new.stop / new.start
        _diagonal(layer.C)[k, new] = START
        layer.grown[k, new] = now
        layer.blocks[k] += 1


def as_lora(settings: Settings, tensors: Mapping[str, torch.Tensor]) -> Lora:
    """C folded into B; alpha at the rank that the site has grown to."""
    live = torch.nonzero(tensors["C"].diagonal()).flatten()
    up = tensors["B"][:, live] @ tensors["C"][live][:, live]
    return Lora(float(settings["alpha"]) / max(1, len(live)), tensors["A"][live].clone(), up)


def _diagonal(core: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = core.diagonal(dim1=1, dim2=2)
    return found
