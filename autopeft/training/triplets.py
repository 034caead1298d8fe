"""Low-rank updates as triplets `B diag(E) A`, whose directions can be cut and grown one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from autopeft.training.low_rank import PackedLowRank
from autopeft.training.packed_module import generators, sizes_of
from autopeft.types import Count, Lora, Settings, Site

SPREAD = 0.02
"""Standard deviation of A and B at the start; E is 0."""


class PackedDirections(PackedLowRank):
    """A [K, r, d_in] and B [K, d_out, r], both drawn; padded directions are all 0.

    The settings say with `rank` how many directions are held, and with `live` which share of them
    is used: in the end, or throughout, as the method has it.
    """

    name: ClassVar[str]
    """Of the module type."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(sizes_of(settings, "rank"))
        self.live = tuple(float(s["live"]) if s is not None else 0.0 for s in settings)
        down, up = [], []
        for rank, generator in zip(self.sizes, generators(site, self.name, seeds), strict=True):
            down.append(SPREAD * torch.randn(rank, site.in_features, generator=generator))
            up.append(SPREAD * torch.randn(site.out_features, rank, generator=generator))
        self.stack("A", down, padded=0)
        self.stack("B", up, padded=1)


class PackedTriplets(PackedDirections):
    """With E [K, r] between A and B."""

    E: nn.Parameter

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(site, settings, seeds)
        self.stack("E", [torch.zeros(rank) for rank in self.sizes], padded=0)

    def between(self, low: torch.Tensor) -> torch.Tensor:
        """`E A x`, scaled."""
        return low * self.E.to(low.dtype).unsqueeze(1) * self.factor.to(low.dtype)


def total_rank(sizes: Sequence[int], shares: Sequence[float]) -> int:
    """The live shares of the ranks of one configuration, rounded down together."""
    wanted = sum(size * share for size, share in zip(sizes, shares, strict=True))
    # A share such as 1/3 has no exact form: a third of 12 is 4.
    return min(sum(sizes), math.floor(wanted + 1e-6))


def count(site: Site, settings: Settings) -> Count:
    """Held: r (d_in + d_out) + r. Published: the plain LoRA of the live share."""
    rank, width = int(settings["rank"]), site.in_features + site.out_features
    return Count(rank * (width + 1), round(float(settings["live"]) * rank * width))


def folded(scaling: float, tensors: Mapping[str, torch.Tensor]) -> Lora:
    """The plain LoRA of the directions whose E is not 0, E folded into B."""
    live = torch.nonzero(tensors["E"]).flatten()
    up = tensors["B"][:, live] * tensors["E"][live]
    return Lora(scaling, tensors["A"][live].clone(), up)


def with_scaling(settings: Settings, tensors: Mapping[str, torch.Tensor]) -> Lora:
    """As `folded`, with the setting `scaling`, which does not depend on the rank."""
    return folded(float(settings["scaling"]), tensors)


def with_alpha(settings: Settings, tensors: Mapping[str, torch.Tensor]) -> Lora:
    """As `folded`, with the setting `alpha`, which is divided by the rank."""
    live = int(torch.count_nonzero(tensors["E"]))
    return folded(float(settings["alpha"]) / max(1, live), tensors)
