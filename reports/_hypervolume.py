"""How the hypervolume of a study grew, trial by trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autopeft import pareto
from autopeft.types import Results, TrialRecord

from . import _shared as shared


@dataclass(frozen=True)
class Growth:
    """A curve: after how many trials and seconds the front covered which share of the box."""

    trials: tuple[int, ...]
    seconds: tuple[float, ...]
    share: tuple[float, ...]


@dataclass(frozen=True)
class Box:
    """The worst and best value of each objective among the trials within the limits."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def scaled(self, row: Sequence[float]) -> list[float]:
        """The row on 0 to 1; 0.5 where all values are equal."""
        return [
            (value - low) / (high - low) if high > low else 0.5
            for value, low, high in zip(row, self.low, self.high, strict=True)
        ]


def usable(results: Results) -> list[TrialRecord]:
    """The finished trials within the limits that have a finite value of every objective."""
    return [t for t in shared.finished(results) if t.feasible and _finite(results, t)]


def _finite(results: Results, trial: TrialRecord) -> bool:
    return all(math.isfinite(shared.value_of(trial, o).value) for o in results.objectives)


def box_of(studies: Sequence[Results]) -> Box:
    """The box that holds every usable trial of the studies."""
    rows = [row for results in studies for row in shared.rows(results, usable(results))]
    columns = list(zip(*rows, strict=True))
    return Box(tuple(map(min, columns)), tuple(map(max, columns)))


def growth(results: Results, box: Box) -> Growth:
    """The curve of one study; it has a point wherever the front changed, and its end."""
    directions = shared.directions(results)
    worst = [0.0 if direction == "maximize" else 1.0 for direction in directions]
    able = {trial.number for trial in usable(results)}
    front: list[list[float]] = []
    points, seconds = [(0, 0.0, 0.0)], 0.0
    for count, trial in enumerate(results.trials, start=1):
        seconds += trial.measurements["seconds"].value if "seconds" in trial.measurements else 0.0
        row = box.scaled(shared.rows(results, [trial])[0]) if trial.number in able else []
        if row and not any(
            other == row or pareto.dominates(other, row, directions) for other in front
        ):
            front = [other for other in front if not pareto.dominates(row, other, directions)]
            front.append(row)
            points.append((count, seconds, pareto.hypervolume(front, worst, directions)))
    points.append((len(results.trials), seconds, points[-1][2]))
    counts, times, shares = zip(*points, strict=True)
    return Growth(counts, times, shares)
