"""LoRA as stacked parameters: `y = W x + scaling * B A x` (Hu et al., ICLR 2022, 2106.09685)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch

from autopeft.training.low_rank import PackedLowRank
from autopeft.training.packed_module import generators, sizes_of
from autopeft.types import Count, Settings, Site


def count(site: Site, settings: Settings) -> Count:
    """r (d_in + d_out)."""
    parameters = int(settings["rank"]) * (site.in_features + site.out_features)
    return Count(parameters, parameters)


class PackedLora(PackedLowRank):
    """A [K, r, d_in] and B [K, d_out, r]; a padded direction has A = B = 0, hence no gradient."""

    name: ClassVar[str] = "lora"
    """Of the module type."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(sizes_of(settings, "rank"))
        down, up = [], []
        for rank, generator in zip(self.sizes, generators(site, self.name, seeds), strict=True):
            bound = 1 / math.sqrt(site.in_features)
            draw = torch.rand(rank, site.in_features, generator=generator)
            down.append((2 * draw - 1) * bound)
            up.append(torch.zeros(site.out_features, rank))
        self.stack("A", down, padded=0)
        self.stack("B", up, padded=1)
        self.scale([float(s["scaling"]) if s is not None else 0.0 for s in settings])
