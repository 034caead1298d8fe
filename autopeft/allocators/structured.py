"""SPT's split: matrices that hold enough of the most sensitive weights get a module.

He et al., Sensitivity-Aware Visual Parameter-Efficient Fine-Tuning, ICCV 2023 (2303.08566). SPT
takes the tau most sensitive weights of the whole model, gives a matrix a structured module when
enough of them fall into it, and tunes the others one by one. With `unstructured` the whole split is
placed, those others as module `sparse`; without, a matrix below the threshold stays frozen. Norms
and biases, which SPT tunes too, stay frozen either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autopeft import rank_budget
from autopeft.errors import UsageError
from autopeft.types import Allocator, Backbone, Placement, Scores, Settings, Site

if TYPE_CHECKING:
    import numpy as np

TAUS = 1000
DEFAULTS: Settings = {
    "rank": 8,
    "threshold": 10.0,
    "scaling": rank_budget.SCALING,
    "unstructured": False,
}


def allocate(
    scores: Scores, backbone: Backbone, budget: int, settings: Settings
) -> tuple[Placement, ...]:
    """LoRA on the sites that SPT structures, at the largest tau whose total fits the budget.

    A site gets LoRA of `rank` (default 8) when at least `rank (d_in + d_out) / threshold` of the
    tau most sensitive weights are in it (`threshold` 10 as in the release); tau runs over a
    logarithmic grid. What is left of the budget goes to further sites by their number of such
    weights, equal ones in site order. A site without any gradient gets nothing.

    With `unstructured` every other site has as many entries of `sparse` as such weights, and what
    is left goes first to the sites that reach the threshold next, then to further entries.

    Raises:
        UsageError: a setting out of range, or scores without histograms, or of another backbone.
    """
    import numpy as np

    settings = {**DEFAULTS, **settings}
    rank = rank_budget.whole(settings, "rank")
    threshold = rank_budget.positive(settings, "threshold")
    sites = _sensitive_sites(scores, backbone)
    if not sites or budget <= 0:
        return ()
    costs = np.array([rank * rank_budget.price(site) for site in sites])
    counts = _counts(scores, sites)
    chosen = counts >= costs / threshold
    if settings["unstructured"]:
        whole, entries = _split(sites, chosen, counts, costs=costs, budget=budget)
        ranks = [rank * int(taken) for taken in whole]
        modules = rank_budget.placements(sites, ranks, float(settings["scaling"]))
        return (*modules, *_sparse(sites, entries))
    # A larger tau never drops a site, so that the totals only grow; at tau = 0 they are 0.
    tau = np.flatnonzero(chosen @ costs <= budget)[-1]
    taken = _filled(chosen[tau], counts[tau], costs=costs, budget=budget)
    ranks = [rank if index in taken else 0 for index in range(len(sites))]
    return rank_budget.placements(sites, ranks, float(settings["scaling"]))


def _sensitive_sites(scores: Scores, backbone: Backbone) -> list[Site]:
    """The linear sites with any gradient."""
    linears = [site for site in backbone.sites if site.kind == "linear"]
    histogram: Mapping[str, Any] = scores.detail.get("histogram", {})
    for site in linears:
        if site.name not in histogram:
            raise UsageError(
                f"the scores (`{scores.method}`) have no histogram of the site `{site.name}`",
                hint="score this backbone with `spt` first",
            )
    return [site for site in linears if any(histogram[site.name])]


def _counts(scores: Scores, sites: Sequence[Site]) -> np.ndarray:
    """How many of the tau most sensitive weights are in each site, [taus, sites].

    Within a histogram bin the weights are taken from all sites in proportion.
    """
    import numpy as np

    histogram = np.array([scores.detail["histogram"][site.name] for site in sites])
    above = np.cumsum(histogram[:, ::-1], axis=1)
    above = np.pad(above, ((0, 0), (1, 0)))
    total = above.sum(axis=0)
    taus = np.concatenate([[0.0], np.geomspace(1, total[-1], TAUS)])
    return np.stack([np.interp(taus, total, row) for row in above], axis=1)


def _split(
    sites: Sequence[Site],
    chosen: np.ndarray,
    counts: np.ndarray,
    *,
    costs: np.ndarray,
    budget: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Which sites are structured, and the entries of the others [sites]; never above the budget."""
    import numpy as np

    weights = [site.in_features * site.out_features for site in sites]
    # What is a whole number but for rounding counts as one.
    entries = np.minimum(np.floor(counts + 1e-9).astype(np.int64), weights)
    totals = np.where(chosen, costs, entries).sum(axis=1)
    tau = int(np.flatnonzero(totals <= budget)[-1])
    taken, left = chosen[tau].copy(), budget - int(totals[tau])
    after = min(tau + 1, len(counts) - 1)
    for index in sorted(range(len(sites)), key=lambda index: -counts[after, index]):
        more = int(costs[index] - entries[tau, index])
        if chosen[after, index] and not taken[index] and more <= left:
            taken[index] = True
            left -= more
    others = np.where(taken, 0, entries)
    fitting = others.sum(axis=1) <= budget - int(costs[taken].sum())
    return taken, others[np.flatnonzero(fitting)[-1]]


def _sparse(sites: Sequence[Site], entries: np.ndarray) -> tuple[Placement, ...]:
    return tuple(
        Placement(site.name, "sparse", {"entries": int(count)})
        for site, count in zip(sites, entries, strict=True)
        if count
    )


def _filled(chosen: np.ndarray, counts: np.ndarray, *, costs: np.ndarray, budget: int) -> set[int]:
    """The chosen sites, and every other one that still fits, most sensitive weights first."""
    taken = {index for index in range(len(costs)) if chosen[index]}
    left = budget - sum(int(costs[index]) for index in taken)
    for index in sorted(range(len(costs)), key=lambda index: -counts[index]):
        if index not in taken and costs[index] <= left:
            taken.add(index)
            left -= int(costs[index])
    return taken


ALLOCATOR = Allocator(
    label="SPT's split: matrices with enough of the most sensitive weights get a module",
    paper="He et al., Sensitivity-Aware Visual Parameter-Efficient Fine-Tuning, ICCV 2023",
    allocate=allocate,
    defaults=DEFAULTS,
)
