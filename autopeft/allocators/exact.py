"""The best ranks at the budget by an integer program (Puzzle, Bercovich et al., 2411.19146).

One choice of rank per site, the sum of their worth as large as the budget allows. Like Puzzle it
can give further solutions that differ from all earlier ones at a number of sites. It assumes that
the worth of sites adds up; the method that gave the scores says how well that holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autopeft import rank_budget
from autopeft.errors import AutoPeftError
from autopeft.types import Allocator, Backbone, Placement, Scores, Settings

if TYPE_CHECKING:
    import numpy as np

CHOICES = (0, 1, 2, 4, 8, 16, 32, 64)
NODES = 2000
"""Of the search tree at most: a limit in seconds would not give the same ranks every time."""
GAP = 1e-4
DEFAULTS: Settings = {
    "max_rank": 16,
    "temperature": 1.0,
    "scaling": rank_budget.SCALING,
    "solution": 1,
    "differ": 0.2,
}


def allocate(
    scores: Scores, backbone: Backbone, budget: int, settings: Settings
) -> tuple[Placement, ...]:
    """LoRA of the ranks that solve the program, or its `solution`-th best diverse solution.

    Each solution differs from every earlier one at `differ` of the sites or more. Where there are
    fewer solutions, the last.

    Raises:
        UsageError: a setting out of range, or scores of another backbone.
        AutoPeftError: the program was not solved.
    """
    import numpy as np

    settings = {**DEFAULTS, **settings}
    depth = rank_budget.whole(settings, "max_rank")
    temperature = rank_budget.positive(settings, "temperature")
    sites = rank_budget.scored_linears(scores, backbone)
    choices = [rank for rank in CHOICES if rank <= depth]
    gains = rank_budget.worth(scores, sites, depth=depth, temperature=temperature)
    total = np.pad(np.cumsum(gains, axis=1), ((0, 0), (1, 0)))[:, choices]
    prices = np.array([[rank * rank_budget.price(site) for rank in choices] for site in sites])
    least = max(1, round(float(settings["differ"]) * len(sites)))
    found: list[np.ndarray] = []
    for _ in range(rank_budget.whole(settings, "solution")):
        picked = _solve(total, prices, max(budget, 0), found, least)
        if picked is None:
            break
        found.append(picked)
    # Where every gain is 0 the solver may pick any rank.
    ranks = [choices[c] if total[i, c] > 0 else 0 for i, c in enumerate(found[-1])]
    return rank_budget.placements(sites, ranks, float(settings["scaling"]))


def _solve(
    total: np.ndarray,
    prices: np.ndarray,
    budget: int,
    earlier: Sequence[np.ndarray],
    least: int,
) -> np.ndarray | None:
    """Choice of each site [sites], or None when no solution differs enough from the earlier."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    sites, width = total.shape
    one_each = np.kron(np.eye(sites), np.ones(width))
    rows = [one_each, prices.reshape(1, -1)]
    lower = [*np.ones(sites), -np.inf]
    upper = [*np.ones(sites), float(budget)]
    for picked in earlier:
        rows.append(np.eye(width)[picked].reshape(1, -1))
        lower.append(-np.inf)
        upper.append(float(sites - least))
    solved = milp(
        -total.flatten(),
        constraints=LinearConstraint(np.vstack(rows), lower, upper),
        integrality=np.ones(total.size),
        bounds=Bounds(0, 1),
        options={"node_limit": NODES, "mip_rel_gap": GAP},
    )
    if solved.x is None:
        if earlier:
            return None
        raise AutoPeftError(f"the integer program was not solved: {solved.message}")
    picked = solved.x.reshape(total.shape).argmax(axis=1)
    assert int(prices[np.arange(sites), picked].sum()) <= budget
    return np.asarray(picked)


ALLOCATOR = Allocator(
    label="the best ranks by an integer program, and diverse further solutions",
    paper="Bercovich et al., Puzzle, 2024 (arXiv 2411.19146)",
    allocate=allocate,
    defaults=DEFAULTS,
)
