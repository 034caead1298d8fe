"""What samplers compete on: a problem whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from autopeft import pareto
from autopeft.optimiser.problem import Problem
from autopeft.types import Point


@dataclass(frozen=True)
class Contest:
    """One problem with everything that a fair comparison needs."""

    name: str
    problem: Problem
    """Without a design."""
    design: tuple[Point, ...]
    """Our initial design, best guesses first."""
    truth: Callable[[Point], float]
    """The modelled objective at a point, without noise."""
    observe: Callable[[Point, np.random.Generator], tuple[float, float]]
    """A noisy value and its standard error."""
    floor: float
    """Values of the modelled objective at or below this count for nothing."""
    limits: tuple[float, ...]
    """Costs at or above these count for nothing."""
    best: float
    """Hypervolume of the true front, as `hypervolume` gives it."""
    pool: tuple[Point, ...] = ()
    """The only points that can be observed; empty where all can."""

    def costs(self, point: Point) -> tuple[float, ...]:
        """The exact objectives."""
        return self.problem.costs(self.problem.space.decode(point))

    def shares(self, points: Sequence[Point]) -> list[float]:
        """Share of the true front's hypervolume that the first 1, 2, ... points reach.

        By their true values.
        """
        rows = [(self.truth(point), *self.costs(point)) for point in points]
        reached = (rows[: count + 1] for count in range(len(rows)))
        return [
            hypervolume(some, floor=self.floor, limits=self.limits) / self.best for some in reached
        ]


def hypervolume(rows: Sequence[Sequence[float]], *, floor: float, limits: Sequence[float]) -> float:
    """Volume above the floor and below the limits, costs in orders of magnitude.

    Args:
        rows: value, then costs; the value is maximised, positive costs are minimised.
        floor: value that counts for nothing.
        limits: finite limit of each cost, which counts for nothing.
    """
    logs = [(value, *map(math.log10, costs)) for value, *costs in rows]
    reference = (floor, *map(math.log10, limits))
    return pareto.hypervolume(logs, reference, ["maximize", *["minimize" for _ in limits]])
