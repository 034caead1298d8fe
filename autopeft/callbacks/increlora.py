"""IncreLoRA: ranks grow from 1 where the update matters most, to a target total.

Zhang et al., IncreLoRA: Incremental Parameter Allocation Method for Parameter-Efficient
Fine-Tuning (2308.12043). A site's score is that of its whole update: the mean of `|dW * dL/ddW|`,
smoothed, times its uncertainty. The scale is alpha over the current rank. Every site owns reserve
directions whose A and B train ahead with E fixed at 1e-5.

Where this differs from the release: the target is met exactly, by a last round cut short; when it
is, reserves are dropped; E grows with the rank, so that the falling scale leaves the function as it
was; A and B are pulled towards orthogonality as a whole, and not block by block; the gradient of dW
exists for one site at a time. The parameters of the largest rank are held throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from autopeft.callbacks.growth import Growth, Rounds, rank_of
from autopeft.callbacks.latecomers import NEVER
from autopeft.training.triplets import PackedTriplets
from autopeft.types import Settings, Site

RESERVE = 1e-5
"""E of a direction that trains ahead."""


class _Listen(torch.autograd.Function):
    """Passes an output on, and shows its gradient to a layer beside what the linear read.

    Not a hook, because what a hook holds is out of reach of gradient checkpointing.
    """

    @staticmethod
    def forward(
        ctx: Any, output: torch.Tensor, hidden: torch.Tensor, layer: PackedIncreLora
    ) -> torch.Tensor:
        ctx.save_for_backward(hidden)
        ctx.layer = layer
        return output.detach()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (hidden,) = ctx.saved_tensors
        ctx.layer.measure(gradient, hidden)
        return gradient, None, None


class PackedIncreLora(PackedTriplets):
    """Triplets scaled by alpha over the current rank, with the births of their directions."""

    name = "increlora"
    born: torch.Tensor
    """Step from which A and B of each direction are trained, [K, r]."""
    grown: torch.Tensor
    """Step from which E is, and the direction counts."""
    reserve: torch.Tensor
    """1e-5 where a direction trains ahead, else 0."""
    mean: torch.Tensor
    spread: torch.Tensor
    """Of the score, [K]."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(site, settings, seeds)
        self.scale([float(s["alpha"]) if s is not None else 0.0 for s in settings])
        births = [torch.full((rank,), NEVER) for rank in self.sizes]
        for one in births:
            one[:1] = 0
        self.remember("born", births, padded=0)
        self.remember("grown", births, padded=0)
        self.remember("reserve", [torch.zeros(rank) for rank in self.sizes], padded=0)
        for name in ("mean", "spread"):
            self.remember(name, [torch.zeros(())] * self.count)
        self.sensitivity = torch.zeros(self.count)

    def births(self) -> Mapping[nn.Parameter, torch.Tensor]:
        """Of A and B when they begin to train ahead, of E when they join."""
        born = {self.A: self.born.unsqueeze(2), self.B: self.born.unsqueeze(1)}
        return {**born, self.E: self.grown}

    def weights(self) -> torch.Tensor:
        """E and what reserves have for it, over the current rank and times alpha, [K, r]."""
        ranks = torch.count_nonzero(self.E.detach(), dim=1).clamp(min=1).unsqueeze(1)
        return (self.E + self.reserve) * self.factor.squeeze(1) / ranks

    def between(self, low: torch.Tensor) -> torch.Tensor:
        """`A x` times those weights."""
        return low * self.weights().to(low.dtype).unsqueeze(1)

    def _add(self, module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        added = super()._add(module, args, output)
        result: torch.Tensor = _Listen.apply(added, args[0], self)  # type: ignore[no-untyped-call]
        return result

    @torch.no_grad()
    def measure(self, gradient: torch.Tensor, rows: torch.Tensor) -> None:
        """Sum of |dW * dL/ddW| over the root of the number of entries, [K]."""
        kind = self.A.dtype
        update = torch.bmm(self.B * self.weights().unsqueeze(1), self.A)
        wide, rows = self.slices(gradient).to(kind), self.slices(rows).to(kind)
        update *= torch.bmm(wide.transpose(1, 2), rows)
        total = torch.linalg.vector_norm(update, ord=1, dim=(1, 2))
        self.sensitivity = total / math.sqrt(update[0].numel())


@dataclass
class IncreLora(Growth):
    """Growth by sensitivity times uncertainty of whole updates."""

    beta_1: float = 0.85
    beta_2: float = 0.85
    kind = PackedIncreLora

    def amount(self, missing: int, rounds: Rounds, now: int) -> int:
        """The same in every round."""
        return math.ceil(missing / rounds.left(now))

    def learn(self, layer: PackedIncreLora) -> None:
        """Smooth the score of the step."""
        seen = layer.sensitivity.to(layer.mean)
        layer.mean.mul_(self.beta_1).add_(seen, alpha=1 - self.beta_1)
        layer.spread.mul_(self.beta_2).add_((seen - layer.mean).abs(), alpha=1 - self.beta_2)

    def score(self, layer: PackedIncreLora) -> torch.Tensor:
        """Mean times uncertainty."""
        return layer.mean * layer.spread

    @torch.no_grad()
    def grow(self, layer: PackedIncreLora, k: int, new: slice, now: int) -> None:
        """Reserves join; E of the others makes up for the scale."""
        layer.E[k, : new.start] *= new.stop / new.start
        layer.E[k, new] = RESERVE
        layer.reserve[k, new] = 0
        layer.grown[k, new] = now
        layer.born[k, new] = layer.born[k, new].clamp(max=now)

    def settle(self, layer: PackedIncreLora, k: int, ahead: int, now: int) -> None:
        """The next directions train ahead; the rest, and in the end all the rest, does not."""
        rank, size = rank_of(layer, k), layer.sizes[k]
        last = min(rank + ahead, size)
        layer.reserve[k, rank:last] = RESERVE
        layer.born[k, rank:last] = layer.born[k, rank:last].clamp(max=now)
        layer.reserve[k, last:size] = 0
        layer.born[k, last:size] = NEVER
