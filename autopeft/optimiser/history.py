"""What a study already knows, as a sampler reads it: a pure function of its trials."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft.optimiser.candidates import Candidates, Identity, identity_of
from autopeft.types import Configuration, Point

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Observation:
    """A finished or stopped trial with usable numbers."""

    point: Point | None
    """None for a baseline that the space cannot express."""
    configuration: Configuration | None
    """Of such a baseline."""
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


def read(study: Study, candidates: Candidates, *, before: int | None = None) -> History:
    """The history of a study, in the order of its trials.

    Args:
        study: Any Optuna study whose trials carry the space's values as parameters, or a
            `configuration` attribute, or both.
        candidates: Points of the problem that the study searches.
        before: Number of the trial that is being asked for; it is left out itself.
    """
    trials = study.get_trials(deepcopy=False)
    last = {_name(trial): trial.number for trial in trials}
    completed: list[Observation] = []
    running: list[Point] = []
    points: list[Point] = []
    seen: set[Identity] = set()
    for trial in trials:
        if trial.number == before or trial.state.name == "WAITING":
            continue
        point, outside = _resolved(trial, candidates)
        if point is not None:
            points.append(point)
        elif outside is not None:
            seen.add(identity_of(outside))
        else:
            continue
        if trial.state.name == "RUNNING" and point is not None:
            running.append(point)
        elif trial.state.name != "PRUNED" or last[_name(trial)] == trial.number:
            values = _values(trial)
            if values and all(map(math.isfinite, values)):
                completed.append(Observation(point, outside, values, _errors(trial, len(values))))
    seen.update(candidates.identities(points))
    return History(tuple(completed), tuple(running), frozenset(seen))


def _name(trial: FrozenTrial) -> str:
    """The same for the trial that trains anew what another was stopped with."""
    return str(trial.user_attrs.get("digest", trial.number))


def _resolved(
    trial: FrozenTrial, candidates: Candidates
) -> tuple[Point | None, Configuration | None]:
    """The point of the trial by its parameters, or else the configuration stored with it."""
    try:
        return candidates.point(trial.params), None
    except (KeyError, ValueError):
        stored = trial.user_attrs.get("configuration")
    if stored is None:
        return None, None
    plain = json.loads(stored) if isinstance(stored, str) else stored
    configuration = Configuration.from_json(plain)
    point = candidates.problem.space.encode(configuration)
    return point, configuration if point is None else None


def _values(trial: FrozenTrial) -> tuple[float, ...]:
    """What it measured, or was expected to measure had it not been stopped; else nothing."""
    if trial.state.name == "PRUNED":
        return tuple(trial.user_attrs.get("expected") or ())
    return tuple(trial.values) if trial.state.name == "COMPLETE" else ()


def _errors(trial: FrozenTrial, count: int) -> tuple[float, ...]:
    """Standard errors aligned with the values; what is missing or not a number counts as 0."""
    stored: Sequence[float] = trial.user_attrs.get("errors") or [0.0] * count
    return tuple(float(e) if e and math.isfinite(e) else 0.0 for e in stored)
