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
from autopeft.optimiser.pieces import Content, Pieces, Traits, content_of, traits_of, worth_of
from autopeft.optimiser.problem import Price, Problem
from autopeft.types import Configuration, Placement, Point, Value

KEPT = 50_000
"""Most structures that are remembered."""

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
        self._described: dict[Point, Candidate] = {}
        self._identities: dict[Point, Identity] = {}
        self._structures: dict[Point, _Structure] = {}
        self._layers: list[dict[bytes, _Layer]] = [{} for _ in self.grid.by_layer]
        self._pieces = [
            [Pieces(problem, slot, self.grid.deciding(slot)) for slot in slots]
            for _, _, slots in self.grid.by_layer
        ]

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
        key = tuple(map(values.get, self._names))
        if key not in self._points:
            self._points[key] = self.problem.space.point(values)
        return self._points[key]

    def describe(self, points: Sequence[Point]) -> list[Candidate]:
        """Points as candidates, within the limits or not."""
        new = [point for point in dict.fromkeys(points) if point not in self._described]
        for point, candidate in zip(new, self.look(self.grid.array(new)), strict=True):
            self._described[point] = candidate or self._beyond(point)
        return [self._described[point] for point in points]

    def identities(self, points: Sequence[Point]) -> list[Identity]:
        """Identities of points, feasible or not."""
        new = [point for point in dict.fromkeys(points) if point not in self._identities]
        found = self._all(self.grid.array(new), new)
        for point, structure, rate in zip(new, found, self._rates(new), strict=True):
            self._identities[point] = structure.contents, rate
        return [self._identities[point] for point in points]

    def canonical(self, candidate: Candidate) -> Candidate:
        """The same configuration at its canonical point."""
        found = self.feasible(self.problem.space.canonical(candidate.point))
        return candidate if found is None else found

    # --- counting -----------------------------------------------------------------------------

    def _beyond(self, point: Point) -> Candidate:
        """The candidate at a point that is empty or over a limit."""
        configuration = self.problem.space.decode(point)
        return Candidate(
            point,
            identity_of(configuration),
            Price(self.problem.costs(configuration), self.problem.stratify(configuration), False),
            worth_of(self.problem, configuration.placements),
            self._expected([self._decoded(point)], self._rates([point]))[0],
        )

    def _all(self, points: Points, plain: Sequence[Sequence[int]]) -> list[_Structure]:
        layered = self.problem.layered
        if layered is None or not self.problem.space.slots or not plain:
            return [self._decoded(tuple(point)) for point in plain]
        columns = [self._of_layer(i, points, plain) for i in range(len(self._layers))]
        parts = np.stack(
            [np.array([layer.part for layer in kinds])[which] for kinds, which in columns], axis=1
        )
        prices = layered.total([layer for layer, _, _ in self.grid.by_layer], parts)
        traits = self._traits(columns)
        worths = sum(np.array([layer.worth for layer in kinds])[which] for kinds, which in columns)
        contents = zip(
            *([kinds[i].content for i in which] for kinds, which in columns), strict=True
        )
        return [
            _Structure(frozenset(filter(None, layers)), price, worth, row)
            for layers, price, worth, row in zip(
                contents, prices, np.asarray(worths).tolist(), traits, strict=True
            )
        ]

    def _traits(
        self, columns: Sequence[tuple[list[_Layer], NDArray[np.intp]]]
    ) -> NDArray[np.float64]:
        """What the prior sees of every point: shape points x traits, none without a prior."""
        if self.problem.prior is None:
            return np.zeros((len(columns[0][1]), 0))
        layers = [np.stack([layer.traits for layer in kinds])[which] for kinds, which in columns]
        return np.sum(layers, axis=0)  # type: ignore[no-any-return]

    def _decoded(self, point: Point) -> _Structure:
        key = self.problem.space.structure(point)
        if key not in self._structures:
            if len(self._structures) >= KEPT:
                self._structures.clear()
            configuration = self.problem.space.decode(point)
            placements = configuration.placements
            price = self.problem.price(configuration)
            worth, traits = worth_of(self.problem, placements), traits_of(self.problem, placements)
            self._structures[key] = _Structure(_contents(placements), price, worth, traits)
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
        pieces = [piece for slot in self._pieces[index] if (piece := slot.at(point))]
        placed = tuple([piece.placement for piece in pieces])
        part = self.problem.layered.of_layer(self.grid.by_layer[index][0], placed)
        content = frozenset([piece.key for piece in pieces])
        traits = traits_of(self.problem, ())
        if self.problem.prior is not None:
            traits = sum([piece.traits for piece in pieces], start=traits)
        return _Layer(content, part, sum([piece.worth for piece in pieces]), traits)

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
    return frozenset(content_of(placed) for placed in layers.values())
