"""Optuna's samplers, shown what is ordered and how costs are read.

A study keeps every value of a dimension as a choice, for people to read, and costs in their own
units. Told so, a sampler cannot know that rank 4 lies between 2 and 8, nor that from 0.01 % to
0.02 % matters as much as from 0.5 % to 1 %. So it is asked on a study in memory with the same
trials, where numbers are shown by their order and costs on the scale of the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from autopeft.optimiser.designed import LONG
from autopeft.optimiser.history import read
from autopeft.optimiser.problem import Problem
from autopeft.space.space import Dimension
from autopeft.types import Point, Value


class OrdinalSampler(BaseSampler):
    """Asks one of Optuna's samplers on its own view of the study."""

    def __init__(self, problem: Problem, inner: BaseSampler) -> None:
        """Makes a sampler for one suggestion.

        Args:
            problem: What is searched.
            inner: Who suggests. It is shown a new study every time, so what it would keep between
                suggestions is lost.
        """
        self._problem = problem
        self._inner = inner
        self._axes = [_axis(dimension) for dimension in problem.space.dimensions]
        self._space = {a.name: a.distribution for a in self._axes if len(a.values) > 1}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Every dimension with more than one value, as the inner sampler is shown it."""
        return dict(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of every dimension, as the space has them; nothing where chance is to begin."""
        asked = self._view(study, trial).ask(fixed_distributions=self._space)
        if not asked.relative_params:
            return {}
        return {axis.name: axis.value(asked.params.get(axis.name)) for axis in self._axes}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Never possible: the values of a point belong together. Raises ValueError."""
        raise ValueError(f"`{param_name}` is not a dimension of `{self._problem.space.name}`")

    def _view(self, study: Study, trial: FrozenTrial) -> Study:
        """The points of the space, finished and running, as the inner sampler sees them."""
        problem, candidates = self._problem, candidates_of(self._problem)
        history = read(study, candidates, before=trial.number)
        done = [(o.point, o.values) for o in history.completed if o.point is not None]
        costs = [c.price.costs for c in candidates.describe([point for point, _ in done])]
        scale = cost_scale(problem, costs)
        directions = [StudyDirection.MINIMIZE] * len(problem.directions)
        directions[problem.modelled] = StudyDirection[problem.directions[problem.modelled].upper()]
        view = optuna.create_study(directions=directions, sampler=self._inner)
        for (point, values), cost in zip(done, costs, strict=True):
            shown = list(scale(cost))
            shown.insert(problem.modelled, values[problem.modelled])
            view.add_trial(self._trial(point, TrialState.COMPLETE, shown))
        for point in history.running:
            view.add_trial(self._trial(point, TrialState.RUNNING))
        return view

    def _trial(
        self, point: Point, state: TrialState, values: Sequence[float] | None = None
    ) -> FrozenTrial:
        axes = zip(self._axes, point, strict=True)
        params = {axis.name: axis.shown[i] for axis, i in axes if axis.name in self._space}
        return optuna.trial.create_trial(
            state=state, values=values, params=params, distributions=self._space
        )


@dataclass(frozen=True)
class _Axis:
    """One dimension as a sampler is shown it."""

    name: str
    values: tuple[Value, ...]
    shown: tuple[Value, ...]
    """What stands for each value."""
    distribution: BaseDistribution

    def value(self, shown: Any) -> Value:
        """The value that a suggestion stands for: within a range the nearest, else the only one."""
        if len(self.values) == 1:
            return self.values[0]
        if not isinstance(self.distribution, FloatDistribution):
            return self.values[self.shown.index(shown)]
        return self.values[min(range(len(self.shown)), key=lambda i: abs(self.shown[i] - shown))]


def _axis(dimension: Dimension) -> _Axis:
    """Numbers by their order, many of them by where they lie; switches and names as they are."""
    values, positions = dimension.values, dimension.positions
    if any(isinstance(value, bool | str) for value in values):
        return _Axis(dimension.name, values, values, CategoricalDistribution(values))
    if len(values) > LONG:
        across = FloatDistribution(positions[0], positions[-1])
        return _Axis(dimension.name, values, positions, across)
    order = tuple(range(len(values)))
    return _Axis(dimension.name, values, order, IntDistribution(0, order[-1]))
