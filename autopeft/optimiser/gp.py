"""Multi-objective Bayesian optimisation that models one objective and knows the others.

A Gaussian process predicts the modelled objective, the other objectives are exact, and the point
with the largest expected hypervolume improvement is found by local search. Everything is a function
of the seed and the trials so far: running trials count as if they had given what is predicted for
them (kriging believer), failed ones are only not tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from autopeft import digest, pareto
from autopeft.optimiser import acquisition, surrogate
from autopeft.optimiser.candidates import Candidate, Candidates
from autopeft.optimiser.cost_scale import CostScale, cost_scale
from autopeft.optimiser.designed import distributions
from autopeft.optimiser.history import History, Observation, read
from autopeft.optimiser.local_search import LocalSearch
from autopeft.optimiser.problem import Problem
from autopeft.types import Direction, Point

LEAST_OBSERVATIONS = 6
"""With fewer finished trials in the space there is nothing to model."""

EVALUATIONS = 1_600
"""Points that are looked at per suggestion."""


class GpSampler(BaseSampler):
    """Suggests the point with the largest expected hypervolume improvement.

    It proposes nothing (an empty dict) when there is too little to model or no fit succeeds; the
    `DesignedSampler` around it then draws at random.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._seed = seed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The whole space, always the same."""
        return distributions(self._problem.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of every dimension, or nothing."""
        history = read(study, self._problem, before=trial.number)
        found = suggest(self._problem, history, self._seed)
        return {} if found is None else self._problem.space.values(found)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Never possible: the values of a point belong together. Raises ValueError."""
        raise ValueError(f"`{param_name}` is not a dimension of `{self._problem.space.name}`")


def suggest(problem: Problem, history: History, seed: int) -> Point | None:
    """The most promising point that is not tried yet, or None when there is nothing to model."""
    import numpy as np

    with surrogate.one_thread():
        belief = _belief(problem, history)
        if belief is None:
            return None
        search = LocalSearch(
            belief.candidates,
            belief.score,
            seen=history.seen,
            rng=np.random.default_rng(seed),
        )
        best = search.best(belief.centres, EVALUATIONS)
    return None if best is None else best.point


@dataclass(frozen=True)
class _Belief:
    """What is believed about the front, and how much a candidate would improve it."""

    candidates: Candidates
    posterior: surrogate.Posterior
    scale: CostScale
    front: acquisition.Cells
    centres: tuple[Point, ...]
    """Points on the believed front."""

    def score(self, found: Sequence[Candidate]) -> list[float]:
        """Log expected hypervolume improvement of each candidate."""
        import torch

        space = self.candidates.problem.space
        mean, deviation = self.posterior.mean_and_deviation(
            [space.positions(c.point) for c in found]
        )
        costs = torch.tensor([self.scale(c.costs) for c in found], dtype=torch.float64)
        scores = acquisition.log_improvement(mean, deviation, costs, self.front)
        return [float(score) for score in scores]


def _belief(problem: Problem, history: History) -> _Belief | None:
    inside = [o for o in history.completed if o.point is not None]
    if len(inside) < LEAST_OBSERVATIONS:
        return None
    posterior = surrogate.fit(_data(problem, inside), digest.seed_of(problem.seed, "surrogate"))
    if posterior is None:
        return None
    space = problem.space
    for point in history.running:
        posterior = posterior.believe(space.positions(point))
    points = [o.point for o in inside if o.point is not None] + list(history.running)
    outside = [o for o in history.completed if o.point is None]
    means, _ = posterior.mean_and_deviation([space.positions(point) for point in points])
    values = [float(mean) for mean in means] + [_value(problem, o) for o in outside]
    configurations = [space.decode(p) for p in points] + [o.configuration for o in outside]
    costs = [problem.costs(configuration) for configuration in configurations]
    scale = cost_scale(problem, costs)
    scaled = [scale(cost) for cost in costs]
    empty = [v for v, c in zip(values, configurations, strict=True) if not c.placements]
    front = acquisition.cells(scaled, values, reference=scale.reference, floor=min(empty or values))
    return _Belief(Candidates(problem), posterior, scale, front, _centres(points, values, scaled))


def _data(problem: Problem, observations: Sequence[Observation]) -> surrogate.Data:
    space = problem.space
    return surrogate.Data(
        rows=tuple(space.positions(o.point) for o in observations if o.point is not None),
        values=tuple(_value(problem, o) for o in observations),
        errors=tuple(o.errors[problem.modelled] for o in observations),
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
