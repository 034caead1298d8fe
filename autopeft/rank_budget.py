"""What allocators share: the price of a rank, the worth of each rank, and the placements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autopeft.errors import UsageError
from autopeft.types import Backbone, Placement, Scores, Settings, Site

if TYPE_CHECKING:
    import numpy as np

SCALING = 2.0
"""Of every LoRA that an allocator places, unless it is told another."""


def price(site: Site) -> int:
    """Parameters of one rank of LoRA at a linear."""
    return site.in_features + site.out_features


def scored_linears(scores: Scores, backbone: Backbone) -> list[Site]:
    """Every linear of the backbone.

    Raises:
        UsageError: the scores lack one, or a score is not a number of 0 or more.
    """
    linears = [site for site in backbone.sites if site.kind == "linear"]
    for site in linears:
        value = scores.site.get(site.name)
        if value is None:
            raise UsageError(
                f"the scores (`{scores.method}`) have no value for the site `{site.name}`",
                hint="score this backbone first",
            )
        if not (math.isfinite(value) and value >= 0):
            raise UsageError(f"the score of `{site.name}` is `{value}`", hint="score it again")
    return linears


def worth(
    scores: Scores, sites: Sequence[Site], *, depth: int, temperature: float = 1.0
) -> np.ndarray:
    """What the k-th rank at each site adds, [sites, depth], never rising with k.

    Where the method has no ranks, the k-th is worth `site / k`, so that a budget is shared in
    proportion to the scores. Where it has, increments that rise are averaged with those before
    them: the increments of the least concave curve above the measured one.
    """
    import numpy as np
    from scipy.optimize import isotonic_regression

    if scores.rank:
        found = np.zeros((len(sites), depth))
        for row, site in zip(found, sites, strict=True):
            given = np.nan_to_num(np.asarray(scores.rank.get(site.name, ()), dtype=float))
            if len(given):
                falling = isotonic_regression(given, increasing=False).x[:depth]
                row[: len(falling)] = falling.clip(0)
    else:
        of_site = np.array([scores.site[site.name] for site in sites])
        found = of_site[:, None] / np.arange(1, depth + 1)
    totals = found.sum(axis=1, keepdims=True)
    top = totals.max(initial=0.0)
    if top == 0:
        return found
    shares = totals / top
    # A site's total becomes its power; the fall from rank to rank within the site stays.
    levelled = np.power(shares, 1 / temperature, where=shares > 0, out=np.zeros_like(shares))
    return np.asarray(found / np.where(totals > 0, totals, 1) * levelled)


def placements(
    sites: Sequence[Site], ranks: Sequence[int], scaling: float = SCALING
) -> tuple[Placement, ...]:
    """LoRA of those ranks, none where the rank is 0."""
    return tuple(
        Placement(site.name, "lora", {"rank": int(rank), "scaling": scaling})
        for site, rank in zip(sites, ranks, strict=True)
        if rank
    )


def whole(settings: Settings, name: str) -> int:
    """A setting that is a whole number of 1 or more.

    Raises:
        UsageError: it is not.
    """
    value = settings[name]
    if int(value) < 1:
        raise UsageError(f"the {name} must be at least 1, not `{value}`")
    return int(value)


def positive(settings: Settings, name: str) -> float:
    """A setting that is a number above 0.

    Raises:
        UsageError: it is not.
    """
    value = float(settings[name])
    if not value > 0:
        raise UsageError(f"the {name} must be above 0, not `{value}`")
    return value
