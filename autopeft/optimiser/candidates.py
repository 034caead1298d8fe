"""What is known of points before any training: their prices and their identities.

Counting is the dear part of choosing a point, so the content of a layer is counted once, and a
point is the sum of its layers. Where prices do not add up over layers, a structure is decoded and
counted once: the learning rate changes neither size nor memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from autopeft.optimiser.grid import Grid, Points
from autopeft.optimiser.problem import Price, Problem
from autopeft.types import Configuration, Placement, Point, Value

KEPT = 50_000
"""Most structures that are remembered."""

Content = frozenset[object]
"""Placements of one layer."""
Traits = NDArray[np.float64]
"""What the problem's prior sees of placements; empty without a prior."""
Identity = tuple[frozenset[Content], float]
"""Contents of the layers and the learning rate; equal for what trains the same thing."""


@dataclass(frozen=True)
class Candidate:
    """A feasible point."""

    point: Point
    identity: Identity
    price: Price
    worth: float
    """Sum of the problem's guess of what each placement adds; 0 without a guess."""
    expected: float = 0.0
    """What the problem's prior lets expect; 0 without one."""

    @property
    def log_size(self) -> float:
        """Logarithm of the size by which budget-spread points are spread."""
        return math.log1p(max(self.price.size, 0.0))


@dataclass(frozen=True)
class _Structure:
    contents: frozenset[Content]
    price: Price
    worth: float
    traits: Traits


@dataclass(frozen=True)
class _Layer:
    content: Content
    part: tuple[float, ...]
    worth: float
    traits: Traits


def identity_of(configuration: Configuration) -> Identity:
    """What tells a configuration from all that train something else."""
    return _contents(configuration.placements), configuration.learning_rate


@lru_cache(maxsize=4)
def candidates_of(problem: Problem) -> Candidates:
    """The candidates of a problem, with all that was counted for earlier suggestions."""
    return Candidates(problem)


class Candidates:
    """Points of one problem; what was counted once is kept."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.grid = Grid(problem.space)
        self._names = [dimension.name for dimension in problem.space.dimensions]
        self._points: dict[tuple[Value | None, ...], Point] = {}
        self._structures: dict[Point, _Structure] = {}
        self._layers: list[dict[bytes, _Layer]] = [{} for _ in self.grid.by_layer]

    def look(self, points: Points) -> list[Candidate | None]:
        """One candidate per point, or None where it is empty or over a limit."""
        points = self.grid.canonical(points)
        plain: list[list[int]] = points.tolist()
        rates = self._rates(plain)
        structures = self._all(points, plain)
        return [
            Candidate(
                tuple(point),
                (structure.contents, rate),
                structure.price,
                structure.worth,
                expected,
            )
            if structure.price.feasible
            else None
            for point, structure, rate, expected in zip(
                plain, structures, rates, self._expected(structures, rates), strict=True
            )
        ]

    def feasible(self, point: Point) -> Candidate | None:
        """The candidate at a point, or None when it is empty or over a limit."""
        return self.look(self.grid.array([point]))[0]

    def point(self, values: Mapping[str, Value]) -> Point:
        """The point with those values; KeyError or ValueError when there is none."""
        key = tuple(values.get(name) for name in self._names)
        if key not in self._points:
            self._points[key] = self.problem.space.point(values)
        return self._points[key]

    def describe(self, points: Sequence[Point]) -> list[Candidate]:
        """Points as candidates, within the limits or not."""
        space, found = self.problem.space, []
        for point, candidate in zip(points, self.look(self.grid.array(points)), strict=True):
            if candidate is None:
                configuration = space.decode(point)
                price = Price(self.problem.costs(configuration), 0.0, False)
                candidate = Candidate(
                    point,
                    identity_of(configuration),
                    price,
                    self._worth(configuration.placements),
                    self._expected([self._decoded(point)], self._rates([point]))[0],
                )
            found.append(candidate)
        return found

    def identities(self, points: Sequence[Point]) -> list[Identity]:
        """Identities of points, feasible or not."""
        found = self._all(self.grid.array(points), points)
        return [
            (structure.contents, rate)
            for structure, rate in zip(found, self._rates(points), strict=True)
        ]

    def canonical(self, candidate: Candidate) -> Candidate:
        """The same configuration at its canonical point."""
        found = self.feasible(self.problem.space.canonical(candidate.point))
        return candidate if found is None else found

    # --- counting -----------------------------------------------------------------------------

    def _all(self, points: Points, plain: Sequence[Sequence[int]]) -> list[_Structure]:
        layered = self.problem.layered
        if layered is None or not self.problem.space.slots or not plain:
            return [self._decoded(tuple(point)) for point in plain]
        columns = [self._of_layer(i, points, plain) for i in range(len(self._layers))]
        parts = np.stack(
            [np.array([layer.part for layer in kinds])[which] for kinds, which in columns], axis=1
        )
        prices = layered.total([layer for layer, _, _ in self.grid.by_layer], parts)
        rows = zip(*([kinds[i] for i in which] for kinds, which in columns), strict=True)
        return [
            _Structure(
                frozenset(layer.content for layer in layers if layer.content),
                price,
                sum(layer.worth for layer in layers),
                np.sum([layer.traits for layer in layers], axis=0),
            )
            for layers, price in zip(rows, prices, strict=True)
        ]

    def _decoded(self, point: Point) -> _Structure:
        key = self.problem.space.structure(point)
        if key not in self._structures:
            if len(self._structures) >= KEPT:
                self._structures.clear()
            configuration = self.problem.space.decode(point)
            placements = configuration.placements
            price = self.problem.price(configuration)
            self._structures[key] = _Structure(
                _contents(placements), price, self._worth(placements), self._traits(placements)
            )
        return self._structures[key]

    def _of_layer(
        self, index: int, points: Points, plain: Sequence[Sequence[int]]
    ) -> tuple[list[_Layer], NDArray[np.intp]]:
        """What the points have in one layer: the different contents, and which one each has."""
        _, dimensions, _ = self.grid.by_layer[index]
        columns = np.ascontiguousarray(points[:, dimensions])
        keys = columns.view(np.dtype((np.void, columns.dtype.itemsize * len(dimensions))))
        different, first, which = np.unique(keys.ravel(), return_index=True, return_inverse=True)
        known = self._layers[index]
        found = []
        for key, row in zip(different.tolist(), first.tolist(), strict=True):
            if key not in known:
                known[key] = self._counted(index, tuple(plain[row]))
            found.append(known[key])
        return found, which

    def _counted(self, index: int, point: Point) -> _Layer:
        assert self.problem.layered is not None
        layer, _, slots = self.grid.by_layer[index]
        placed = self.problem.space.placed(slots, point)
        part = self.problem.layered.of_layer(layer, placed)
        return _Layer(_content(placed), part, self._worth(placed), self._traits(placed))

    def _worth(self, placements: Sequence[Placement]) -> float:
        worth = self.problem.worth
        return 0.0 if worth is None else sum(worth(placement) for placement in placements)

    def _traits(self, placements: Sequence[Placement]) -> Traits:
        prior = self.problem.prior
        if prior is None:
            return np.zeros(0)
        return sum(map(prior.traits, placements), start=np.zeros(prior.width))

    def _expected(self, structures: Sequence[_Structure], rates: Sequence[float]) -> list[float]:
        prior = self.problem.prior
        if prior is None or not structures:
            return [0.0] * len(structures)
        traits = np.stack([structure.traits for structure in structures])
        found: list[float] = prior.expected(traits, np.array(rates)).tolist()
        return found

    def _rates(self, points: Sequence[Sequence[int]]) -> list[float]:
        dimension = self.problem.space.learning_rate
        values = self.problem.space.dimensions[dimension].values
        return [float(values[point[dimension]]) for point in points]


def _contents(placements: Sequence[Placement]) -> frozenset[Content]:
    layers: dict[str, list[Placement]] = {}
    for placement in placements:
        layers.setdefault(placement.site.partition(".")[0], []).append(placement)
    return frozenset(_content(placed) for placed in layers.values())


def _content(placements: Sequence[Placement]) -> Content:
    return frozenset((p.site, p.module, frozenset(p.settings.items())) for p in placements)
