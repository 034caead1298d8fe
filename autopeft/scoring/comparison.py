"""Importance methods side by side: several seeds each, how stable they are, how far they agree."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autopeft import allocation
from autopeft.scoring import site_scores
from autopeft.types import Backbone, Placement, Scores
from autopeft.workbench import Workbench


@dataclass(frozen=True)
class Compared:
    """One method's scores, one per seed."""

    method: str
    runs: tuple[Scores, ...]

    @property
    def shares(self) -> dict[str, float]:
        """Mean share of each site in the total of all sites."""
        return {name: statistics.fmean(values) for name, values in _by_site(self.runs).items()}

    @property
    def mean(self) -> Scores:
        """The shares as scores; ranks and details are those of the first seed."""
        first = self.runs[0]
        if len(self.runs) == 1:
            return first
        return Scores(self.method, self.shares, first.provenance, first.detail, first.rank)

    @property
    def stability(self) -> float:
        """Mean rank correlation of the sites between two seeds; NaN for one seed."""
        found = [rank_correlation(a.site, b.site) for a, b in itertools.combinations(self.runs, 2)]
        return statistics.fmean(found) if found else math.nan

    @property
    def seconds(self) -> float:
        """Mean of the seeds."""
        return statistics.fmean(float(run.provenance["seconds"]) for run in self.runs)

    @property
    def memory(self) -> float:
        """Largest of the seeds, bytes; NaN where it was not measured."""
        found = [run.provenance["memory"] for run in self.runs]
        return math.nan if None in found else max(found)


@dataclass(frozen=True)
class Proposal:
    """What a method would place at a budget."""

    placements: tuple[Placement, ...]
    parameters: int
    slack: int
    """Parameters of the budget that are not used."""


def compare(
    bench: Workbench,
    methods: Sequence[str],
    *,
    seeds: int = 3,
    note: Callable[[str], None] = lambda text: None,
) -> list[Compared]:
    """Score the sites by each method with that many seeds, counted from the study's.

    Raises:
        UsageError: a method is unknown or cannot score this model or data.
    """
    found = []
    for method in methods:
        runs = []
        for seed in range(bench.settings.seed, bench.settings.seed + seeds):
            note(f"scoring the sites of {bench.backbone.name} with {method}, seed {seed}")
            runs.append(site_scores.score_sites(bench, method, seed=seed))
        found.append(Compared(method, tuple(runs)))
    return found


def proposal(compared: Compared, backbone: Backbone, budget: int) -> Proposal:
    """What the method's own allocator places within a budget in parameters."""
    placed = allocation.allocate([compared.mean], backbone, budget, {})
    used = allocation.parameters(placed, backbone)
    return Proposal(placed, used, budget - used)


def rank_correlation(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Spearman's correlation over the sites of the first; NaN where one of them is constant."""
    from scipy.stats import spearmanr

    a, b = list(one.values()), [other[name] for name in one]
    if len(set(a)) < 2 or len(set(b)) < 2:
        return math.nan
    return float(spearmanr(a, b).statistic)


def to_json(compared: Compared) -> dict[str, Any]:
    """Plain data: the mean share of each site, and each seed's own scores."""
    return {
        "method": compared.method,
        "site": compared.shares,
        "rank": {name: list(values) for name, values in compared.runs[0].rank.items()},
        "stability": compared.stability,
        "seconds": compared.seconds,
        "memory": compared.memory,
        "runs": [{"site": dict(r.site), "provenance": dict(r.provenance)} for r in compared.runs],
    }


def _by_site(runs: Sequence[Scores]) -> dict[str, list[float]]:
    totals = [sum(run.site.values()) or 1.0 for run in runs]
    return {
        name: [run.site[name] / total for run, total in zip(runs, totals, strict=True)]
        for name in runs[0].site
    }
