"""LoRA: a low-rank update beside a linear (Hu et al., ICLR 2022, arXiv 2106.09685).

`y = W x + scaling * B A x` with A [r, d_in] drawn as in peft and B [d_out, r] zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from autopeft.training.low_rank import PackedLowRank
from autopeft.training.packed_module import generators, sizes_of
from autopeft.types import Count, LearningRates, PeftModule, Settings, Site


def count(site: Site, settings: Settings) -> Count:
    """r (d_in + d_out)."""
    parameters = int(settings["rank"]) * (site.in_features + site.out_features)
    return Count(parameters, parameters)


class PackedLora(PackedLowRank):
    """A [K, r, d_in] and B [K, d_out, r]; a padded direction has A = B = 0, hence no gradient."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(sizes_of(settings, "rank"))
        down, up = [], []
        for rank, generator in zip(self.sizes, generators(site, "lora", seeds), strict=True):
            bound = 1 / math.sqrt(site.in_features)
            draw = torch.rand(rank, site.in_features, generator=generator)
            down.append((2 * draw - 1) * bound)
            up.append(torch.zeros(site.out_features, rank))
        self.stack("A", down, padded=0)
        self.stack("B", up, padded=1)
        self.scale([float(s["scaling"]) if s is not None else 0.0 for s in settings])


def stack(site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]) -> PackedLora:
    """K configurations of LoRA at one linear."""
    return PackedLora(site, settings, seeds)


MODULE = PeftModule(
    label="LoRA",
    paper="arXiv 2106.09685",
    kind="linear",
    size="rank",
    defaults={"scaling": 2.0},
    count=count,
    stack=stack,
    mergeable=True,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="2e-4 in peft's examples and QLoRA (2305.14314), 4e-4 to 5e-4 on GLUE in LoRA "
        "(2106.09685), up to 2.2e-3 in AdaLoRA (2303.10512); a proxy of 100 steps needs more",
    ),
)
