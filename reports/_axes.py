"""Objectives and other quantities as axes, in the unit that reads best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autopeft.format import byte_scale
from autopeft.types import Measured, ObjectiveInfo, TrialRecord

from . import _shared as shared


@dataclass(frozen=True)
class Axis:
    """An objective as an axis, in the unit that reads best."""

    objective: ObjectiveInfo
    scale: float
    unit: str

    def measured(self, trial: TrialRecord) -> Measured:
        """Value and error of the trial in the unit of the axis."""
        found = shared.value_of(trial, self.objective)
        return Measured(found.value / self.scale, found.error / self.scale)

    def title(self) -> str:
        """Label and unit, with an arrow to the better end."""
        words = f"{self.objective.label}, {self.unit}" if self.unit else self.objective.label
        if self.objective.direction == "maximize":
            return f"{words} \N{RIGHTWARDS ARROW} better"
        return f"better \N{LEFTWARDS ARROW} {words}"


def plottable(trial: TrialRecord, objective: ObjectiveInfo) -> bool:
    """Whether the trial has a finite value of the objective."""
    return math.isfinite(shared.value_of(trial, objective).value)


def axis_of(trials: Sequence[TrialRecord], objective: ObjectiveInfo) -> Axis:
    """The axis of an objective; bytes in the unit of the largest value."""
    if objective.unit != "B":
        return Axis(objective, 1.0, objective.unit)
    largest = max((shared.value_of(t, objective).value for t in trials), default=0.0)
    return Axis(objective, *byte_scale(largest))


def byte_axis(values: Sequence[float]) -> tuple[float, str]:
    """Divisor and unit for an axis of bytes."""
    return byte_scale(max((value for value in values if math.isfinite(value)), default=0.0))
