"""Sites on or off at one rank, highest score per parameter first."""

from __future__ import annotations

from autopeft import rank_budget
from autopeft.types import Allocator, Backbone, Placement, Scores, Settings

DEFAULTS: Settings = {"rank": 8, "scaling": rank_budget.SCALING}


def allocate(
    scores: Scores, backbone: Backbone, budget: int, settings: Settings
) -> tuple[Placement, ...]:
    """LoRA of `rank` at the best sites that fit, equal ones in site order.

    A site whose score is 0 gets nothing.

    Raises:
        UsageError: a setting out of range, or scores of another backbone.
    """
    settings = {**DEFAULTS, **settings}
    rank = rank_budget.whole(settings, "rank")
    sites = rank_budget.scored_linears(scores, backbone)
    prices = [rank * rank_budget.price(site) for site in sites]
    order = sorted(range(len(sites)), key=lambda i: (-scores.site[sites[i].name] / prices[i], i))
    ranks, left = [0] * len(sites), budget
    for index in order:
        if scores.site[sites[index].name] > 0 and prices[index] <= left:
            ranks[index] = rank
            left -= prices[index]
    return rank_budget.placements(sites, ranks, float(settings["scaling"]))


ALLOCATOR = Allocator(
    label="sites on or off at one rank, highest score per parameter first",
    paper="",
    allocate=allocate,
    defaults=DEFAULTS,
)
