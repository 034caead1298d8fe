"""The same rank everywhere, whatever the scores: the yardstick for every other allocator."""

from __future__ import annotations

from autopeft import rank_budget
from autopeft.types import Allocator, Backbone, Placement, Scores, Settings

DEFAULTS: Settings = {"max_rank": 64, "scaling": rank_budget.SCALING}


def allocate(
    scores: Scores, backbone: Backbone, budget: int, settings: Settings
) -> tuple[Placement, ...]:
    """LoRA of the largest rank that all linears can have.

    Where not even rank 1 fits everywhere, rank 1 at every m-th linear, with the smallest such m.

    Raises:
        UsageError: a setting out of range.
    """
    settings = {**DEFAULTS, **settings}
    sites = [site for site in backbone.sites if site.kind == "linear"]
    prices = [rank_budget.price(site) for site in sites]
    rank = min(max(budget, 0) // max(1, sum(prices)), rank_budget.whole(settings, "max_rank"))
    ranks = [rank] * len(sites)
    if not rank:
        step = _step(prices, budget)
        ranks = [int(step > 0 and index % step == 0) for index in range(len(sites))]
    return rank_budget.placements(sites, ranks, float(settings["scaling"]))


def _step(prices: list[int], budget: int) -> int:
    """Smallest m for which every m-th linear fits at rank 1; 0 when not even the first does."""
    fitting = (m for m in range(2, len(prices) + 1) if sum(prices[::m]) <= budget)
    return next(fitting, 0)


ALLOCATOR = Allocator(
    label="the same rank at every linear, whatever the scores",
    paper="Hu et al., LoRA, ICLR 2022",
    allocate=allocate,
    defaults=DEFAULTS,
)
