"""Optuna's samplers, shown what is ordered and how costs are read.

A study keeps every value of a dimension as a choice, for people to read, and costs in their own
units. Told so, a sampler cannot know that rank 4 lies between 2 and 8, nor that half of a small
cost matters as much as half of a large one. So each suggestion is asked of a study in memory with
the same trials, where sizes are integers in order and costs are on the scale of the front.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autopeft.optimiser.candidates import candidates_of
from autopeft.optimiser.cost_scale import cost_scale
from autopeft.optimiser.history import read
from autopeft.optimiser.problem import Problem
from autopeft.space.space import Dimension
from autopeft.types import Point, Value

LONG = 20
"""An ordered dimension of more values than this is shown as a range."""


class OrdinalSampler(BaseSampler):
    """Asks one of Optuna's samplers on its own view of the study, once."""

    def __init__(self, problem: Problem, inner: BaseSampler) -> None:
        """Makes a sampler for one suggestion.

        Args:
            problem: What is searched.
            inner: Who suggests. It must keep nothing between suggestions.
        """
        self._problem = problem
        self._inner = inner
        self._dimensions = [d for d in problem.space.dimensions if len(d.values) > 1]
        self._space = {d.name: _distribution(d) for d in self._dimensions}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Of every dimension with more than one value, as the inner sampler is shown it."""
        return dict(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of every dimension, in the units of the space."""
        shown = self._shown(study, trial)
        asked = shown.ask(fixed_distributions=self._space)
        return {d.name: _value(d, asked.params[d.name]) for d in self._dimensions}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Never possible: the values of a point belong together. Raises ValueError."""
        raise ValueError(f"`{param_name}` is not a dimension of `{self._problem.space.name}`")

    def _shown(self, study: Study, trial: FrozenTrial) -> Study:
        """The study as the inner sampler sees it: points of the space, finished or running."""
        problem, candidates = self._problem, candidates_of(self._problem)
        history = read(study, candidates, before=trial.number)
        done = [(o.point, o.values) for o in history.completed if o.point is not None]
        costs = [c.price.costs for c in candidates.describe([point for point, _ in done])]
        scale = cost_scale(problem, costs)
        directions = [StudyDirection.MINIMIZE] * len(problem.directions)
        directions[problem.modelled] = StudyDirection[problem.directions[problem.modelled].upper()]
        shown = optuna.create_study(directions=directions, sampler=self._inner)
        for (point, values), cost in zip(done, costs, strict=True):
            told = list(scale(cost))
            told.insert(problem.modelled, values[problem.modelled])
            shown.add_trial(self._trial(point, TrialState.COMPLETE, told))
        for point in history.running:
            shown.add_trial(self._trial(point, TrialState.RUNNING, None))
        return shown

    def _trial(self, point: Point, state: TrialState, values: list[float] | None) -> FrozenTrial:
        indices = zip(self._problem.space.dimensions, point, strict=True)
        params = {d.name: _shown_as(d, i) for d, i in indices if d.name in self._space}
        return optuna.trial.create_trial(
            state=state, values=values, params=params, distributions=self._space
        )


def _distribution(dimension: Dimension) -> BaseDistribution:
    if not _ordered(dimension):
        return CategoricalDistribution(dimension.values)
    if len(dimension.values) > LONG:
        return FloatDistribution(dimension.positions[0], dimension.positions[-1])
    return IntDistribution(0, len(dimension.values) - 1)


def _shown_as(dimension: Dimension, index: int) -> Value:
    if not _ordered(dimension):
        return dimension.values[index]
    return dimension.positions[index] if len(dimension.values) > LONG else index


def _value(dimension: Dimension, shown: Any) -> Value:
    if not _ordered(dimension):
        return shown  # type: ignore[no-any-return]
    if len(dimension.values) <= LONG:
        return dimension.values[int(shown)]
    nearest = min(range(len(dimension.values)), key=lambda i: abs(dimension.positions[i] - shown))
    return dimension.values[nearest]


def _ordered(dimension: Dimension) -> bool:
    """Whether its values are numbers or switches, which spaces list from low to high."""
    return not any(isinstance(value, str) for value in dimension.values)
