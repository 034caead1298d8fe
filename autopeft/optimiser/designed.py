"""A sampler that tries the initial design first, and never suggests the infeasible or the known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autopeft import digest
from autopeft.optimiser.candidates import candidates_of
from autopeft.optimiser.history import History, read
from autopeft.optimiser.initial_design import random_feasible
from autopeft.optimiser.problem import Problem
from autopeft.optimiser.repair import repaired
from autopeft.space.space import Dimension, Space
from autopeft.types import Point

LONG = 20
"""A list of more numbers than this is shown as a range."""


class Exhausted(Exception):
    """Every feasible configuration of the space has been tried.

    The trial that was opened for the suggestion has been told as failed.
    """


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Optuna's view of a space, for `study.ask(fixed_distributions=...)`.

    Every dimension is a choice among its values; a long list of floats is a range.
    """
    return {dimension.name: _distribution(dimension) for dimension in space.dimensions}


class DesignedSampler(BaseSampler):
    """The points of `problem.design` in order, then an inner sampler, then chance.

    It keeps nothing between suggestions: make one per ask, with a seed for that trial.
    """

    def __init__(self, problem: Problem, seed: int, *, inner: BaseSampler | None = None) -> None:
        """Makes a sampler for one suggestion.

        Args:
            problem: What is searched.
            seed: Seed of this suggestion.
            inner: Who is asked once the design is used up, for values of every dimension at once;
                without one, or where it gives none, feasible points are drawn at random, spread
                over the budget. Optuna's own need an `OrdinalSampler` around them.
        """
        self._problem = problem
        self._seed = seed
        self._inner = inner
        self._space = distributions(problem.space)
        self._candidates = candidates_of(problem)
        self.origin = ""
        """Where the last suggestion came from: `initial`, `model` or `random`."""
        self.expected_gain: float | None = None
        """By which share the last suggestion is expected to enlarge the hypervolume, if known."""

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Ends a search whose only point is tried: Optuna asks nothing about single values.

        Raises:
            Exhausted: nothing is left to try.
        """
        if all(distribution.single() for distribution in self._space.values()):
            history = read(study, self._candidates, before=trial.number)
            if self._usable((0,) * len(self._space), history) is None:
                self._exhausted(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The whole space, always the same."""
        return dict(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of every dimension, feasible and not tried before.

        Raises:
            Exhausted: nothing is left to try.
        """
        history = read(study, self._candidates, before=trial.number)
        point = self._suggest(study, trial, history)
        if point is None:
            self._exhausted(study, trial)
        return self._problem.space.values(point)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value of a parameter that is not a dimension of the space.

        Raises:
            ValueError: it is one; the values of a point belong together.
        """
        if param_name in self._space:
            raise ValueError(f"`{param_name}` is never chosen alone")
        seed = digest.seed_of(self._seed, trial.number, param_name) % 2**31
        chance = RandomSampler(seed=seed)
        return chance.sample_independent(study, trial, param_name, param_distribution)

    def _exhausted(self, study: Study, trial: FrozenTrial) -> NoReturn:
        study.tell(trial.number, state=TrialState.FAIL)
        raise Exhausted(f"every feasible point of `{self._problem.space.name}` has been tried")

    def _suggest(self, study: Study, trial: FrozenTrial, history: History) -> Point | None:
        self.origin = "initial"
        for point in self._problem.design:
            if self._usable(point, history) is not None:
                return point
        self.origin = "model"
        proposed = self._proposed(study, trial, history)
        if proposed is not None:
            self.expected_gain = getattr(self._inner, "expected_gain", None)
            return proposed
        self.origin = "random"
        return random_feasible(self._candidates, np.random.default_rng(self._seed), history.seen)

    def _proposed(self, study: Study, trial: FrozenTrial, history: History) -> Point | None:
        if self._inner is None:
            return None
        values = self._inner.sample_relative(study, trial, dict(self._space))
        if not values:
            return None
        proposal = self._problem.space.point(values)
        return self._usable(proposal, history) or self._repaired(proposal, history)

    def _repaired(self, point: Point, history: History) -> Point | None:
        """A point near an unusable one. Asked again, a model would insist on the same."""
        rng = np.random.default_rng(self._seed)
        near = repaired(self._candidates, point, rng, history.seen)
        return None if near is None else self._candidates.canonical(near).point

    def _usable(self, point: Point, history: History) -> Point | None:
        """The canonical form of a point that is feasible and not tried yet."""
        candidate = self._candidates.feasible(point)
        if candidate is None or candidate.identity in history.seen:
            return None
        return self._candidates.canonical(candidate).point


def _distribution(dimension: Dimension) -> BaseDistribution:
    values = dimension.values
    numbers = [float(v) for v in values if isinstance(v, float)]
    if len(numbers) != len(values) or len(values) <= LONG or numbers != sorted(numbers):
        return CategoricalDistribution(values)
    return FloatDistribution(numbers[0], numbers[-1], log=_logarithmic(dimension, numbers))


def _logarithmic(dimension: Dimension, numbers: Sequence[float]) -> bool:
    """Whether the positions follow the logarithm of the values."""
    if numbers[0] <= 0:
        return False
    middle = len(numbers) // 2
    share = math.log(numbers[middle] / numbers[0]) / math.log(numbers[-1] / numbers[0])
    return math.isclose(share, dimension.positions[middle], abs_tol=1e-6)
