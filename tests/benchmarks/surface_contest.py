"""A synthetic surface as a contest: its prices, its noise and its true front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from autopeft.optimiser.grid import Grid
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.problem import Price, Problem
from autopeft.types import Configuration, Placement, Point
from tests.benchmarks.contest import Contest, hypervolume
from tests.benchmarks.elites import best_per_bucket
from tests.benchmarks.surface import FLOOR, NOISE, Surface

DESIGN = 20
GENERATIONS = 1000


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


def problem_of(surface: Surface, costs: int, *, seed: int = 0, worth: bool = True) -> Problem:
    """The problem of searching a surface, with one or two exact costs."""
    prices = Prices(surface, costs)
    return Problem(
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
    grid = Grid(surface.space)

    def truth(point: Point) -> float:
        return float(surface.accuracy(grid.array([point]))[0])

    def observe(point: Point, rng: np.random.Generator) -> tuple[float, float]:
        return truth(point) + NOISE * float(rng.normal()), NOISE

    problem = problem_of(surface, costs, seed=seed, worth=worth)
    limits = (float(surface.limit), surface.most_memory)[:costs]
    best = _best(name, costs, problem, limits)
    design = spread(problem, DESIGN, seed)
    return Contest(name, problem, design, truth, observe, FLOOR, limits, best)


_known: dict[tuple[str, int], float] = {}


def _best(name: str, costs: int, problem: Problem, limits: tuple[float, ...]) -> float:
    """Hypervolume of the true front, found once per process."""
    if (name, costs) not in _known:
        surface = Surface(name)
        front = best_per_bucket(problem, surface.accuracy, generations=GENERATIONS)
        _known[name, costs] = hypervolume(front, floor=FLOOR, limits=limits)
    return _known[name, costs]
