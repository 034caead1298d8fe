"""Which points of a front are sure: trials trained again with other seeds, on rows never used.

The search chose its front by its own scores, which flatter it. Here every candidate is trained with
the same new seeds and scored on the report split. A point's chance to be on the front follows from
rows drawn again for all trials at once, and from the spread over seeds pooled over all trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autopeft import pareto
from autopeft.confirmation.paired_bootstrap import RESAMPLES, SEED, Score
from autopeft.types import Direction, Measured

SURE = 0.95
LEAST_SEEDS = 2
"""With one, nothing is known of the spread over seeds."""


@dataclass(frozen=True)
class Replicates:
    """One trial trained anew."""

    number: int
    costs: tuple[float, ...]
    """Its other objectives, which are the same for every seed."""
    predictions: Mapping[int, Sequence[float]] = field(default_factory=dict)
    """Seed -> one prediction per row of the report split; none where the training diverged."""

    @property
    def diverged(self) -> bool:
        """Whether some seed gave nothing."""
        return any(not found for found in self.predictions.values())


@dataclass(frozen=True)
class Standing:
    """What is known of one trial after all its seeds."""

    number: int
    score: Measured
    """Mean over seeds on the report split, one standard error from rows and seeds."""
    seeds: int
    chance: float
    """P(on the front) among the candidates; 0 when a seed diverged."""

    @property
    def settled(self) -> bool:
        """Whether more seeds would hardly change its place."""
        known = self.seeds >= LEAST_SEEDS
        return known and not 1 - SURE < self.chance < SURE


def standings(
    trials: Sequence[Replicates],
    labels: Sequence[float],
    score: Score,
    directions: Sequence[Direction],
) -> list[Standing]:
    """Score, error and P(on the front) of every candidate, in their order.

    Args:
        trials: each with at least one seed.
        labels: of the report split.
        score: the trained objective in its own unit.
        directions: of all objectives, the trained one first.
    """
    truth = np.asarray(labels)
    able = [trial for trial in trials if not trial.diverged]
    values = [_values(trial, truth, score) for trial in able]
    spread = _pooled(values)
    draws = _draws(able, truth, score, spread)
    gains = _gains(draws, able, directions) if able else draws
    found = {
        trial.number: Standing(
            trial.number,
            Measured(float(np.mean(values[i])), float(draws[i].std())),
            len(trial.predictions),
            pareto.chance(gains, i),
        )
        for i, trial in enumerate(able)
    }
    nothing = Measured(float("nan"), float("nan"))
    return [
        found.get(t.number, Standing(t.number, nothing, len(t.predictions), 0.0)) for t in trials
    ]


def difference(
    one: Replicates, other: Replicates, labels: Sequence[float], score: Score, pooled: float
) -> Measured:
    """By how much the first scores above the second, with the error of the difference."""
    truth = np.asarray(labels)
    means = [float(np.mean(_values(trial, truth, score))) for trial in (one, other)]
    draws = _draws([one, other], truth, score, pooled)
    return Measured(means[0] - means[1], float((draws[0] - draws[1]).std()))


def pooled_spread(trials: Sequence[Replicates], labels: Sequence[float], score: Score) -> float:
    """Standard deviation over seeds, pooled over the trials that have at least two."""
    truth = np.asarray(labels)
    return _pooled([_values(trial, truth, score) for trial in trials if not trial.diverged])


def _values(trial: Replicates, truth: NDArray[Any], score: Score) -> list[float]:
    return [score(np.asarray(found), truth) for found in trial.predictions.values()]


def _pooled(values: Sequence[Sequence[float]]) -> float:
    several = [found for found in values if len(found) > 1]
    freedom = sum(len(found) - 1 for found in several)
    squares = sum(float(np.var(found)) * len(found) for found in several)
    return float((squares / freedom) ** 0.5) if freedom else 0.0


def _draws(
    trials: Sequence[Replicates], truth: NDArray[Any], score: Score, spread: float
) -> NDArray[np.float64]:
    """Means over seeds drawn again, [trials, resamples]: common rows, independent seeds."""
    generator = np.random.default_rng(SEED)
    rows = generator.integers(0, len(truth), size=(RESAMPLES, len(truth)))
    drawn = np.empty((len(trials), RESAMPLES))
    for i, trial in enumerate(trials):
        found = [np.asarray(predictions) for predictions in trial.predictions.values()]
        drawn[i] = [np.mean([score(p[chosen], truth[chosen]) for p in found]) for chosen in rows]
        drawn[i] += generator.normal(size=RESAMPLES) * spread / len(found) ** 0.5
    return drawn


def _gains(
    draws: NDArray[np.float64], trials: Sequence[Replicates], directions: Sequence[Direction]
) -> NDArray[np.float64]:
    """Drawn scores and exact costs, more is better everywhere: [objectives, resamples, trials]."""
    signs = np.array([1.0 if d == "maximize" else -1.0 for d in directions])
    costs = np.array([trial.costs for trial in trials]).reshape(len(trials), -1).T
    repeated = np.repeat(costs[:, None], RESAMPLES, axis=1)
    gains: NDArray[np.float64] = signs[:, None, None] * np.concatenate([draws.T[None], repeated])
    return gains
