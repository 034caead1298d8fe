"""Multi-objective Bayesian optimisation that models one objective and knows the others.

A Gaussian process predicts the modelled objective, the other objectives are exact, and the point
with the largest expected hypervolume improvement is found by local search. Everything is a function
of the seed and the trials so far: running trials count as if they had given what is predicted for
them (kriging believer), failed ones are only not tried again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from autopeft import pareto
from autopeft.optimiser import acquisition, guided, surrogate
from autopeft.optimiser.candidates import Candidate, Candidates, candidates_of
from autopeft.optimiser.cost_scale import CostScale, cost_scale
from autopeft.optimiser.designed import distributions
from autopeft.optimiser.history import History, Observation, read
from autopeft.optimiser.hyperparameters import Data
from autopeft.optimiser.local_search import LocalSearch
from autopeft.optimiser.one_thread import one_thread
from autopeft.optimiser.problem import Problem
from autopeft.optimiser.surrogate import Surrogate
from autopeft.types import Direction, Point

Fit = Callable[[Data], Surrogate | None]
"""A way to fit the surrogate."""

LEAST_OBSERVATIONS = 4
"""With fewer finished trials in the space there is nothing to model."""

SIZE_UNIT = math.log(100)
"""Sizes this far apart, two orders of magnitude, are as far as the ends of a dimension."""

EVALUATIONS = 1_200
"""Points that are looked at per suggestion."""


class GpSampler(BaseSampler):
    """Suggests the point with the largest expected hypervolume improvement.

    It proposes nothing (an empty dict) when there is too little to model, no fit succeeds or no
    trial has learnt anything yet; the `DesignedSampler` around it then draws at random.
    """

    def __init__(
        self, problem: Problem, seed: int, *, fit: Fit = surrogate.fit_unless_chance
    ) -> None:
        self._problem = problem
        self._seed = seed
        self._fit = fit
        self.expected_gain: float | None = None
        """By which share the last suggestion is expected to enlarge the hypervolume."""

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The whole space, always the same."""
        return distributions(self._problem.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of every dimension, or nothing."""
        candidates = candidates_of(self._problem)
        history = read(study, candidates, before=trial.number)
        found = suggest(candidates, history, self._seed, fit=self._fit)
        if found is None:
            return {}
        self.expected_gain = found.gain
        return self._problem.space.values(found.point)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Never possible: the values of a point belong together. Raises ValueError."""
        raise ValueError(f"`{param_name}` is not a dimension of `{self._problem.space.name}`")


@dataclass(frozen=True)
class Suggestion:
    """What to try next."""

    point: Point
    gain: float
    """Expected gain as a share of the hypervolume that is believed reached; infinite from none."""


def suggest(
    candidates: Candidates, history: History, seed: int, *, fit: Fit = surrogate.fit_unless_chance
) -> Suggestion | None:
    """The most promising point that is not tried yet, or None when there is nothing to model."""
    with one_thread():
        belief = believe(candidates, history, fit)
        if belief is None:
            return None
        search = LocalSearch(
            candidates,
            belief.score,
            seen=history.seen,
            rng=np.random.default_rng(seed),
        )
        best = search.best(belief.centres, EVALUATIONS)
    if best is None:
        return None
    reached = acquisition.volume(belief.front)
    gain = math.exp(search.value) / reached if reached > 0 else math.inf
    return Suggestion(best.point, gain)


@dataclass(frozen=True)
class Belief:
    """What is believed about the front, and how much a candidate would improve it."""

    candidates: Candidates
    surrogate: Surrogate
    scale: CostScale
    front: acquisition.Cells
    centres: tuple[Point, ...]
    """Points on the believed front."""

    def score(self, found: Sequence[Candidate]) -> list[float]:
        """Log expected hypervolume improvement of each candidate."""
        import torch

        mean, deviation = self.surrogate.mean_and_deviation(rows_of(self.candidates, found))
        costs = torch.tensor([self.scale(c.price.costs) for c in found], dtype=torch.float64)
        scores: list[float] = acquisition.log_improvement(
            mean, deviation, costs, self.front
        ).tolist()
        return scores


def believe(
    candidates: Candidates, history: History, fit: Fit = surrogate.fit_unless_chance
) -> Belief | None:
    """What the history tells, or None when there is too little to model or no fit succeeds."""
    problem = candidates.problem
    inside = [o for o in history.completed if o.point is not None]
    if len(inside) < LEAST_OBSERVATIONS:
        return None
    points = [o.point for o in inside if o.point is not None] + list(history.running)
    described = candidates.describe(points)
    rows = rows_of(candidates, described)
    data = _data(problem, inside, rows[: len(inside)])
    posterior = fit(data) if problem.prior is None else guided.fit(data, fit)
    if posterior is None:
        return None
    for row in rows[len(inside) :]:
        posterior = posterior.believe(row)
    outside = [o for o in history.completed if o.configuration is not None]
    means, _ = posterior.mean_and_deviation(rows)
    values = [*means.tolist(), *(_value(problem, o) for o in outside)]
    baselines = [o.configuration for o in outside if o.configuration is not None]
    costs = [*(c.price.costs for c in described), *map(problem.costs, baselines)]
    placed = [*(bool(c.identity[0]) for c in described), *(bool(c.placements) for c in baselines)]
    empty = [value for value, any_placed in zip(values, placed, strict=True) if not any_placed]
    scale = cost_scale(problem, costs)
    scaled = [scale(cost) for cost in costs]
    front = acquisition.cells(scaled, values, reference=scale.reference, floor=min(empty or values))
    return Belief(candidates, posterior, scale, front, _centres(points, values, scaled))


def rows_of(candidates: Candidates, found: Sequence[Candidate]) -> NDArray[np.float64]:
    """What the surrogate sees, in columns.

    Size, learning rate, the other dimensions, and at last importance score and prior, if any.
    """
    grid, problem = candidates.grid, candidates.problem
    positions = grid.rows(grid.array([c.point for c in found]))
    rate = problem.space.learning_rate
    others = grid.counts > 1
    others[rate] = False
    sizes = [c.log_size / SIZE_UNIT for c in found]
    rows = np.column_stack([sizes, positions[:, rate], positions[:, others]])
    if problem.worth is not None:
        rows = np.column_stack([rows, [c.worth for c in found]])
    if problem.prior is not None:
        rows = np.column_stack([rows, [c.expected for c in found]])
    return rows


def _data(problem: Problem, observations: Sequence[Observation], rows: NDArray[np.float64]) -> Data:
    return Data(
        rows=tuple(map(tuple, rows.tolist())),
        values=tuple(_value(problem, o) for o in observations),
        errors=tuple(o.errors[problem.modelled] for o in observations),
        short=2,
        scored=problem.worth is not None,
    )


def _value(problem: Problem, observation: Observation) -> float:
    """The modelled objective, turned so that larger is better."""
    value = observation.values[problem.modelled]
    return value if problem.directions[problem.modelled] == "maximize" else -value


def _centres(
    points: Sequence[Point], values: Sequence[float], costs: Sequence[Sequence[float]]
) -> tuple[Point, ...]:
    """The points of the space that are on the front of points of the space."""
    rows = [(value, *cost) for value, cost in zip(values, costs, strict=True)][: len(points)]
    ways: list[Direction] = ["maximize"]
    ways += ["minimize" for _ in costs[0]]
    return tuple(points[i] for i in pareto.front(rows, ways))
