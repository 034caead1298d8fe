"""What importance scores say that a placement is worth: a guess for the surrogate, never a rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autopeft.types import Configuration, PeftModule, Placement, Scores


@dataclass(frozen=True)
class Worth:
    """The score of the linears that a module reaches, times the logarithm of its size."""

    reached: Mapping[str, float]
    """Site -> share of the scores of all linears; a sublayer or a layer has its linears' sum."""
    sizes: Mapping[str, str]
    """Module type -> the setting that is its size."""

    def __call__(self, placement: Placement) -> float:
        """0 for a site without a score."""
        size = float(placement.settings.get(self.sizes.get(placement.module, ""), 0))
        return self.reached.get(placement.site, 0.0) * math.log1p(size)

    def of(self, configuration: Configuration) -> float:
        """The sum over its placements."""
        return sum(map(self, configuration.placements))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"reached": dict(self.reached), "sizes": dict(self.sizes)}


def worth_of(scores: Scores, modules: Mapping[str, PeftModule]) -> Worth:
    """The guess that follows from scores of linear sites."""
    total = sum(scores.site.values()) or 1.0
    reached: dict[str, float] = {}
    for site, score in scores.site.items():
        for name in {site, *_around(site)}:
            reached[name] = reached.get(name, 0.0) + score / total
    return Worth(reached, {name: piece.size for name, piece in modules.items()})


def _around(site: str) -> tuple[str, str]:
    """Names of the sublayer and the layer that hold a linear such as `3.attention.query`."""
    layer, _, role = site.partition(".")
    return f"{layer}.{role.partition('.')[0]}", f"{layer}.layer"
