"""What a study already knows, as a sampler reads it: a pure function of its trials."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft.optimiser.candidates import Identity, identity_of
from autopeft.optimiser.problem import Problem
from autopeft.types import Configuration, Point

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Observation:
    """A finished trial with usable numbers."""

    configuration: Configuration
    point: Point | None
    """None for a baseline that the space cannot express."""
    values: tuple[float, ...]
    """One per objective, in the problem's order."""
    errors: tuple[float, ...]
    """Standard error of each value; 0 where it is exact or not known."""


@dataclass(frozen=True)
class History:
    """Finished, running and tried."""

    completed: tuple[Observation, ...]
    running: tuple[Point, ...]
    seen: frozenset[Identity]
    """Every configuration that was finished, failed or started."""


def read(study: Study, problem: Problem, *, before: int | None = None) -> History:
    """The history of a study, in the order of its trials.

    Args:
        study: Any Optuna study whose trials carry the space's values as parameters, or a
            `configuration` attribute, or both.
        problem: What the study searches.
        before: Number of the trial that is being asked for; it is left out itself.
    """
    from optuna.trial import TrialState

    completed: list[Observation] = []
    running: list[Point] = []
    seen: set[Identity] = set()
    for trial in study.get_trials(deepcopy=False):
        configuration, point = _resolved(trial, problem)
        if trial.number == before or configuration is None:
            continue
        if trial.state == TrialState.WAITING:
            continue
        seen.add(identity_of(configuration))
        if trial.state == TrialState.RUNNING and point is not None:
            running.append(point)
        elif trial.state == TrialState.COMPLETE and all(map(math.isfinite, trial.values)):
            values, errors = tuple(trial.values), _errors(trial)
            completed.append(Observation(configuration, point, values, errors))
    return History(tuple(completed), tuple(running), frozenset(seen))


def _resolved(trial: FrozenTrial, problem: Problem) -> tuple[Configuration | None, Point | None]:
    """What the trial is, by its parameters or else by the configuration stored with it."""
    try:
        point = problem.space.point(trial.params)
    except (KeyError, ValueError):
        stored = trial.user_attrs.get("configuration")
        if stored is None:
            return None, None
        plain = json.loads(stored) if isinstance(stored, str) else stored
        configuration = Configuration.from_json(plain)
        return configuration, problem.space.encode(configuration)
    return problem.space.decode(point), point


def _errors(trial: FrozenTrial) -> tuple[float, ...]:
    """Standard errors aligned with the values; what is missing or not a number counts as 0."""
    stored = trial.user_attrs.get("errors") or [0.0] * len(trial.values)
    return tuple(float(e) if e and math.isfinite(e) else 0.0 for e in stored)
