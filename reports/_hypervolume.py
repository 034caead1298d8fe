"""How the hypervolume of a study grew, trial by trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autopeft import pareto
from autopeft.types import Direction, Results, TrialRecord

from . import _shared as shared


@dataclass(frozen=True)
class Growth:
    """A curve: after how many trials and seconds the front covered which share of the box."""

    trials: tuple[int, ...]
    seconds: tuple[float, ...]
    share: tuple[float, ...]

    def at(self, count: int) -> float:
        """The share after that many trials."""
        pairs = zip(self.trials, self.share, strict=True)
        return max((share for trials, share in pairs if trials <= count), default=0.0)


@dataclass(frozen=True)
class Box:
    """The worst and best value of each objective among the trials within the limits."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    directions: tuple[Direction, ...]

    def gains(self, row: Sequence[float]) -> tuple[float, ...]:
        """The row on 0 (the worst) to 1 (the best); 0.5 where all values are equal."""
        shares = (
            (value - low) / (high - low) if high > low else 0.5
            for value, low, high in zip(row, self.low, self.high, strict=True)
        )
        return tuple(
            share if direction == "maximize" else 1.0 - share
            for share, direction in zip(shares, self.directions, strict=True)
        )


class Front:
    """A front that grows: gains that no other gains cover."""

    def __init__(self, width: int) -> None:
        self.rows: list[tuple[float, ...]] = []
        self.width = width

    def add(self, row: tuple[float, ...]) -> bool:
        """Whether the row extends the front."""
        if any(_covers(other, row) for other in self.rows):
            return False
        self.rows = [other for other in self.rows if not _covers(row, other)]
        self.rows.append(row)
        return True

    def volume(self) -> float:
        """The share of the box that it covers."""
        return pareto.hypervolume(self.rows, [0.0] * self.width, ["maximize"] * self.width)


def _covers(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True))


def usable(results: Results) -> list[TrialRecord]:
    """The finished trials within the limits that have a finite value of every objective."""
    return [t for t in shared.finished(results) if t.feasible and _finite(results, t)]


def _finite(results: Results, trial: TrialRecord) -> bool:
    return all(math.isfinite(shared.value_of(trial, o).value) for o in results.objectives)


def box_of(studies: Sequence[Results]) -> Box:
    """The box that holds every usable trial of the studies."""
    rows = [row for results in studies for row in shared.rows(results, usable(results))]
    columns = list(zip(*rows, strict=True))
    low, high = tuple(map(min, columns)), tuple(map(max, columns))
    return Box(low, high, tuple(shared.directions(studies[0])))


def growth(results: Results, box: Box) -> Growth:
    """The curve of one study; it has a point wherever the front changed, and its end."""
    able = {trial.number for trial in usable(results)}
    front = Front(len(box.low))
    points, spent = [(0, 0.0, 0.0)], 0.0
    for count, trial in enumerate(results.trials, start=1):
        spent += seconds(trial)
        if trial.number in able and front.add(box.gains(shared.rows(results, [trial])[0])):
            points.append((count, spent, front.volume()))
    points.append((len(results.trials), spent, points[-1][2]))
    counts, times, shares = zip(*points, strict=True)
    return Growth(counts, times, shares)


def seconds(trial: TrialRecord) -> float:
    """The trial's share of the training time; 0 where it was not taken."""
    found = trial.measurements.get("seconds")
    return found.value if found and math.isfinite(found.value) else 0.0
