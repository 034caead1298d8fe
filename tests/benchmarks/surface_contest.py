"""A synthetic surface as a contest: its prices, its noise and its true front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from autopeft.optimiser.grid import Grid
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.moves import Moves
from autopeft.optimiser.problem import Price, Problem
from autopeft.types import Configuration, Placement, Point
from tests.benchmarks.contest import Contest, hypervolume
from tests.benchmarks.surface import FLOOR, NOISE, Surface

DESIGN = 20
BUCKETS = 400
GENERATIONS = 1000
BRED = 400
MIXING = (0.0, 0.0, 0.1, 0.5)
"""Chances that a child takes a dimension from a second parent."""


class Prices:
    """Parameters and memory of a surface, whole and by layer."""

    def __init__(self, surface: Surface, costs: int) -> None:
        self.surface, self.costs = surface, costs

    def of_layer(self, layer: int, placements: Sequence[Placement]) -> tuple[float, ...]:
        """Parameters of a layer."""
        return (sum(self.surface.count(placement) for placement in placements),)

    def total(self, layers: Sequence[int], parts: np.ndarray) -> list[Price]:
        """Prices of configurations from the parameters of their layers."""
        parameters = parts[:, :, 0].sum(axis=1)
        lowest = np.array(layers)[(parts[:, :, 0] > 0).argmax(axis=1)]
        memory = self.surface.memory(parameters, lowest)
        return [
            Price(pair[: self.costs], pair[0], True)
            if 0 < pair[0] <= self.surface.limit
            else Price((), 0.0, False)
            for pair in zip(parameters.tolist(), memory.tolist(), strict=True)
        ]

    def whole(self, configuration: Configuration) -> tuple[float, ...]:
        """Costs of one configuration."""
        parameters = np.array([sum(map(self.surface.count, configuration.placements))])
        layers = [int(p.site.partition(".")[0]) for p in configuration.placements]
        memory = self.surface.memory(parameters, np.array([min(layers, default=0)]))
        return (float(parameters[0]), float(memory[0]))[: self.costs]


@lru_cache(maxsize=4)
def contest(name: str, seed: int, *, costs: int = 1, worth: bool = True) -> Contest:
    """The contest on one surface.

    Args:
        name: of the surface.
        seed: of the initial design.
        costs: 1 for parameters, 2 for parameters and memory.
        worth: whether samplers are given the importance score.
    """
    surface = Surface(name)
    grid, prices = Grid(surface.space), Prices(surface, costs)

    def truth(point: Point) -> float:
        return float(surface.accuracy(grid.array([point]))[0])

    def observe(point: Point, rng: np.random.Generator) -> tuple[float, float]:
        return truth(point) + NOISE * float(rng.normal()), NOISE

    problem = Problem(
        space=surface.space,
        directions=("maximize", "minimize", "minimize")[: costs + 1],
        modelled=0,
        costs=prices.whole,
        feasible=lambda c: 0 < prices.whole(c)[0] <= surface.limit,
        limits=(float(surface.limit), math.inf)[:costs],
        design=(),
        seed=seed,
        stratify=lambda c: prices.whole(c)[0],
        layered=prices,
        worth=surface.worth if worth else None,
    )
    limits = (float(surface.limit), surface.most_memory)[:costs]
    best = hypervolume(true_front(name, costs), floor=FLOOR, limits=limits)
    design = spread(problem, DESIGN, seed)
    return Contest(name, problem, design, truth, observe, FLOOR, limits, best)


@lru_cache
def true_front(name: str, costs: int) -> list[tuple[float, ...]]:
    """(accuracy, costs) of the best point per bucket of costs, by MAP-elites."""
    surface, rng = Surface(name), np.random.default_rng(0)
    moves = Moves(Grid(surface.space))
    points = np.zeros((1, len(surface.space.dimensions)), dtype=np.int16)
    elites: dict[tuple[int, int], tuple[float, np.ndarray]] = {}
    for _ in range(GENERATIONS):
        _keep(surface, points, elites, costs)
        rows = [row for _, row in elites.values()] or list(points)
        parents = rng.integers(len(rows), size=(BRED, 2))
        points = np.stack([moves.neighbour(rows[one], rng) for one, _ in parents])
        mixed = rng.random(points.shape) < rng.choice(MIXING, size=(BRED, 1))
        points = np.where(mixed, np.stack([rows[other] for _, other in parents]), points)
    kept = np.stack([row for _, row in elites.values()])
    values = zip(surface.accuracy(kept).tolist(), surface.costs(kept).tolist(), strict=True)
    return [(accuracy, *both[:costs]) for accuracy, both in values]


def _keep(
    surface: Surface,
    points: np.ndarray,
    elites: dict[tuple[int, int], tuple[float, np.ndarray]],
    costs: int,
) -> None:
    """Puts every feasible point that beats its bucket there."""
    parameters, lowest = surface.parameters(points), surface.lowest(points)
    rows = zip(surface.accuracy(points), parameters, lowest, points, strict=True)
    for accuracy, size, layer, row in rows:
        if 0 < size <= surface.limit:
            bucket = int(BUCKETS * math.log(size) / math.log(surface.limit))
            key = (bucket, int(layer) if costs > 1 else 0)
            if key not in elites or accuracy > elites[key][0]:
                elites[key] = float(accuracy), row
