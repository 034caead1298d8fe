"""Ranks one at a time, most worth per parameter first; in proportion to scores without ranks.

The greedy solution of a knapsack whose gains fall with every rank; the same rule as cutting all
(site, rank) pairs at one global threshold, as EVA and AdaLoRA do where all sites cost the same.
"""

from __future__ import annotations

from autopeft import rank_budget
from autopeft.types import Allocator, Backbone, Placement, Scores, Settings

DEFAULTS: Settings = {"max_rank": 16, "temperature": 1.0, "scaling": rank_budget.SCALING}


def allocate(
    scores: Scores, backbone: Backbone, budget: int, settings: Settings
) -> tuple[Placement, ...]:
    """LoRA whose ranks rise from 0 to at most `max_rank`, equal worth lower rank and site first.

    A temperature above 1 levels the scores, one below 1 sharpens them. A rank that does not fit
    ends its site's rise; cheaper sites go on. A rank that is worth nothing is not placed.

    Raises:
        UsageError: a setting out of range, or scores of another backbone.
    """
    settings = {**DEFAULTS, **settings}
    depth = rank_budget.whole(settings, "max_rank")
    temperature = rank_budget.positive(settings, "temperature")
    sites = rank_budget.scored_linears(scores, backbone)
    gains = rank_budget.worth(scores, sites, depth=depth, temperature=temperature)
    prices = [rank_budget.price(site) for site in sites]
    steps = sorted(
        (-float(gains[index, k]) / prices[index], k, index)
        for index in range(len(sites))
        for k in range(depth)
        if gains[index, k] > 0
    )
    ranks, left = [0] * len(sites), budget
    for _, k, index in steps:
        if ranks[index] == k and prices[index] <= left:
            ranks[index] += 1
            left -= prices[index]
    return rank_budget.placements(sites, ranks, float(settings["scaling"]))


ALLOCATOR = Allocator(
    label="ranks one at a time, most worth per parameter first",
    paper="",
    allocate=allocate,
    defaults=DEFAULTS,
)
