"""The bottleneck adapter `f(x) = up(relu(down(x)))`, stacked for K configurations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from autopeft.training.packed_module import PackedModule, generators, sizes_of
from autopeft.types import Count, Settings, Site

Draw = Callable[[tuple[int, ...], torch.Generator], torch.Tensor]


def count(site: Site, settings: Settings) -> Count:
    """2 d m weights, and m + d biases that the papers do not count."""
    size = int(settings["bottleneck"])
    weights = size * (site.in_features + site.out_features)
    return Count(weights + (size + site.out_features if size else 0), weights)


def normal(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Normal with standard deviation 0.02."""
    return 0.02 * torch.randn(shape, generator=generator)


def kaiming(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Kaiming uniform with a = sqrt(5), as the linears of torch."""
    return (2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(shape[-1])


def zero(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """All zero."""
    return torch.zeros(shape)


class PackedBottleneck(PackedModule):
    """down [K, m, d_in], its bias [K, m], up [K, d_out, m], its bias [K, d_out].

    Padding is inert: relu(0) = 0 gives a padded column of `up` no gradient, and that zero column
    gives the padded row of `down` none. A configuration that is off has factor 0.
    """

    down: nn.Parameter
    up: nn.Parameter
    down_bias: nn.Parameter
    up_bias: nn.Parameter

    def __init__(
        self,
        name: str,
        site: Site,
        settings: Sequence[Settings | None],
        seeds: Sequence[int],
        *,
        down: Draw,
        up: Draw,
    ) -> None:
        super().__init__(sizes_of(settings, "bottleneck"))
        draws = list(zip(self.sizes, generators(site, name, seeds), strict=True))
        self.stack("down", [down((m, site.in_features), g) for m, g in draws], padded=0)
        self.stack("up", [up((site.out_features, m), g) for m, g in draws], padded=1)
        self.stack("down_bias", [torch.zeros(m) for m in self.sizes], padded=0)
        self.stack("up_bias", [torch.zeros(site.out_features) for _ in self.sizes])
        self.scale([float(s["scaling"]) if s is not None else 0.0 for s in settings])

    def low(self, hidden: torch.Tensor) -> torch.Tensor:
        """Rows [K*B, ..., d_in] -> scaled activations [K, B*..., m + 1], the last for the bias."""
        kind = hidden.dtype
        rows = self.slices(hidden)
        bias = self.down_bias.to(kind).unsqueeze(1)
        low = torch.baddbmm(bias, rows, self.down.to(kind).transpose(1, 2)).relu()
        one = torch.ones_like(low[..., :1])
        return torch.cat([low, one], dim=-1) * self.factor.to(kind)

    def weight(self, kind: torch.dtype) -> torch.Tensor:
        """`up` and its bias as one matrix per configuration [K, d_out, m + 1]."""
        return torch.cat([self.up, self.up_bias.unsqueeze(2)], dim=2).to(kind)

    def added_to(self, hidden: torch.Tensor) -> torch.Tensor:
        """`x + f(x)` for rows x [K*B, ..., d], d_in being d_out."""
        weight = self.weight(hidden.dtype).transpose(1, 2)
        return torch.baddbmm(self.slices(hidden), self.low(hidden), weight).view(hidden.shape)
