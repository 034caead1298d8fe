"""The true front of a problem whose answers are known, by MAP-elites (Mouret and Clune, 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from autopeft.optimiser.candidates import Candidate, Candidates
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.moves import Moves
from autopeft.optimiser.problem import Problem
from autopeft.types import Point

BRED = 400
PER_DECADE = 60
"""Buckets of each cost; the best point of every bucket is kept."""
MIXING = (0.0, 0.0, 0.1, 0.5)
"""Chances that a child takes a dimension from a second parent."""


def best_per_bucket(
    problem: Problem,
    truths: Callable[[np.ndarray], np.ndarray],
    *,
    generations: int,
    known: Sequence[Point] = (),
) -> list[tuple[float, ...]]:
    """(value, costs) of the best point found in every bucket of the costs.

    Args:
        problem: its space and its exact, positive costs.
        truths: noiseless values of points, shape m x dimensions -> m.
        generations: of `BRED` children each.
        known: points to begin with, besides points spread over the budget.
    """
    candidates, rng = Candidates(problem), np.random.default_rng(0)
    grid = candidates.grid
    moves = Moves(grid)
    elites: dict[tuple[int, ...], tuple[float, Candidate]] = {}
    points = grid.array([*known, *spread(problem, BRED, seed=0)])
    for _ in range(generations):
        found = [c for c in candidates.look(points) if c is not None]
        if found:
            values = truths(grid.array([c.point for c in found])).tolist()
            _keep(elites, zip(values, found, strict=True))
        rows = grid.array([c.point for _, c in elites.values()]) if elites else points
        parents = rng.integers(len(rows), size=(BRED, 2))
        points = np.stack([moves.neighbour(rows[one], rng) for one, _ in parents])
        mixed = rng.random(points.shape) < rng.choice(MIXING, size=(BRED, 1))
        points = np.where(mixed, rows[parents[:, 1]], points)
    return [(value, *candidate.price.costs) for value, candidate in elites.values()]


def _keep(
    elites: dict[tuple[int, ...], tuple[float, Candidate]],
    found: zip[tuple[float, Candidate]],
) -> None:
    for value, candidate in found:
        key = tuple(int(PER_DECADE * math.log10(cost)) for cost in candidate.price.costs)
        if key not in elites or value > elites[key][0]:
            elites[key] = value, candidate
