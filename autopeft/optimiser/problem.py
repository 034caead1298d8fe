"""What a sampler is told: the space, the exact costs, the limits and the initial design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autopeft.space import Space
from autopeft.types import Configuration, Direction, Point


@dataclass(frozen=True)
class Problem:
    """A search as a sampler sees it.

    One objective is measured by training (`modelled`); the others are costs that are known
    exactly before any training.
    """

    space: Space
    directions: tuple[Direction, ...]
    """Of all objectives, in the order of a trial's values."""
    modelled: int
    """Index of the objective that is noisy and dear."""
    costs: Callable[[Configuration], tuple[float, ...]]
    """Values of the other objectives, in order, in their own units."""
    feasible: Callable[[Configuration], bool]
    """Within every limit, and not empty."""
    limits: tuple[float, ...]
    """Hard limit of each cost, in the order of `costs`; infinite where there is none."""
    design: tuple[Point, ...]
    """Points that are tried first, best guesses first."""
    seed: int
    stratify: Callable[[Configuration], float]
    """The size (in parameters) by which budget-spread points are spread."""
