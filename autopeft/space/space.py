"""A search space expanded for one backbone: points of value indices <-> configurations.

Every dimension is a finite ordered list of values (floats are kept to two significant digits), so
a point is a tuple of indices, neighbours are well defined and `encode(decode(point)) == point` for
every canonical point.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from autopeft import digest
from autopeft.errors import SpaceError
from autopeft.types import Configuration, Placement, Point, Settings, Value

if TYPE_CHECKING:
    import numpy as np

Allocator = Callable[[float, Settings], tuple[Placement, ...]]
"""(share of the parameter budget, settings) -> placements."""

ENUMERABLE = 20_000
"""Allocation spaces are inverted by enumeration up to this many points."""


@dataclass(frozen=True)
class Dimension:
    """One axis: its values in order, and where each lies in [0, 1] for a surrogate."""

    name: str
    values: tuple[Value, ...]
    positions: tuple[float, ...]
    when: Mapping[int, Value] = field(default_factory=dict)
    """Index of another dimension -> value that it must have for this one to be active."""

    @property
    def off(self) -> int:
        """Index of the value that switches off: 0 or False where there is one, else the first."""
        return next((i for i, v in enumerate(self.values) if v is False or v == 0), 0)


@dataclass(frozen=True)
class Slot:
    """One module type at one site: where its settings come from."""

    site: str
    module: str
    size: str
    from_dimension: Mapping[str, int]
    """Setting -> index of the dimension that gives it."""
    fixed: Settings
    gates: tuple[int, ...]
    """Indices of the `active` switches that must all be on."""


@dataclass(frozen=True)
class Space:
    """An expanded search space; made by `expansion.expand`."""

    name: str
    digest: str
    dimensions: tuple[Dimension, ...]
    slots: tuple[Slot, ...]
    learning_rate: int
    """Index of the learning-rate dimension."""
    notes: tuple[str, ...] = ()
    allocator: Allocator | None = None

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(len(d.values) for d in self.dimensions)

    def values(self, point: Point) -> dict[str, Value]:
        """Dimension name -> value at the point."""
        return {d.name: d.values[i] for d, i in zip(self.dimensions, point, strict=True)}

    def point(self, values: Mapping[str, Value]) -> Point:
        """The point with those values; ValueError for a value outside the space."""
        return tuple(d.values.index(values[d.name]) for d in self.dimensions)

    def positions(self, point: Point) -> tuple[float, ...]:
        """The point in the unit cube, one coordinate per dimension."""
        return tuple(d.positions[i] for d, i in zip(self.dimensions, point, strict=True))

    def structure(self, point: Point) -> Point:
        """The point without its learning rate: what decides size and memory."""
        return point[: self.learning_rate] + point[self.learning_rate + 1 :]

    def decode(self, point: Point) -> Configuration:
        """The configuration at a point."""
        rate = float(self.dimensions[self.learning_rate].values[point[self.learning_rate]])
        if self.allocator is not None:
            return Configuration(self._allocate(point), rate)
        return Configuration(self.placed(self.slots, point), rate)

    def placed(self, slots: Sequence[Slot], point: Point) -> tuple[Placement, ...]:
        """What a point places in some of the slots."""
        placed = (self._placement(slot, point) for slot in slots)
        return tuple(p for p in placed if p is not None)

    def encode(self, configuration: Configuration) -> Point | None:
        """The canonical point of a configuration, or None when the space cannot express it."""
        rates = self.dimensions[self.learning_rate].values
        if configuration.learning_rate not in rates:
            return None
        rate = rates.index(configuration.learning_rate)
        if self.allocator is not None:
            structure = self._inverse.get(_table(configuration.placements))
            return None if structure is None else self._with_rate(structure, rate)
        known = self._forced(configuration, {self.learning_rate: rate})
        if known is None:
            return None
        for selectors in self._selector_points(known):
            point = self._solve(configuration, {**selectors, **known})
            if point is not None:
                return point
        return None

    def canonical(self, point: Point) -> Point:
        """The one point that stands for all that decode to the same configuration."""
        encoded = self.encode(self.decode(point))
        return point if encoded is None else encoded

    def random(self, rng: np.random.Generator) -> Point:
        """A canonical point, uniform over the dimensions; may be over budget or empty."""
        return self.canonical(tuple(int(rng.integers(len(d.values))) for d in self.dimensions))

    # --- decoding -----------------------------------------------------------------------------

    def _active(self, index: int, point: Point) -> bool:
        when = self.dimensions[index].when
        return all(self.dimensions[i].values[point[i]] == value for i, value in when.items())

    def _placement(self, slot: Slot, point: Point) -> Placement | None:
        if not all(self.dimensions[g].values[point[g]] for g in slot.gates):
            return None
        size = slot.from_dimension.get(slot.size)
        if size is not None and not self._active(size, point):
            return None
        settings = dict(slot.fixed)
        for name, index in slot.from_dimension.items():
            settings[name] = self.dimensions[index].values[point[index]]
        return Placement(slot.site, slot.module, settings) if settings[slot.size] else None

    def _allocate(self, point: Point) -> tuple[Placement, ...]:
        assert self.allocator is not None
        settings = {
            d.name.removeprefix("allocation."): d.values[i]
            for d, i in zip(self.dimensions, point, strict=True)
            if d.name.startswith("allocation.")
        }
        share = float(settings.pop("share"))
        return self._allocated(share, tuple(sorted(settings.items())))

    @cached_property
    def _allocations(
        self,
    ) -> dict[tuple[float, tuple[tuple[str, Value], ...]], tuple[Placement, ...]]:
        return {}

    def _allocated(
        self, share: float, settings: tuple[tuple[str, Value], ...]
    ) -> tuple[Placement, ...]:
        assert self.allocator is not None
        key = (share, settings)
        if key not in self._allocations:
            self._allocations[key] = self.allocator(share, dict(settings))
        return self._allocations[key]

    # --- encoding -----------------------------------------------------------------------------

    def _with_rate(self, structure: Point, rate: int) -> Point:
        return (*structure[: self.learning_rate], rate, *structure[self.learning_rate :])

    @cached_property
    def _inverse(self) -> dict[str, Point]:
        axes = [
            range(len(d.values)) for i, d in enumerate(self.dimensions) if i != self.learning_rate
        ]
        if math.prod(map(len, axes)) > ENUMERABLE:
            raise SpaceError(f"space `{self.name}` has too many allocations; give fewer values")
        found: dict[str, Point] = {}
        for structure in itertools.product(*axes):
            table = _table(self._allocate(self._with_rate(structure, 0)))
            found.setdefault(table, structure)
        return found

    @cached_property
    def _selectors(self) -> tuple[int, ...]:
        return tuple(sorted({i for d in self.dimensions for i in d.when}))

    def _selector_points(self, known: Mapping[int, int]) -> Iterator[dict[int, int]]:
        """Every choice of the selectors that are not known, the first values first."""
        free = [i for i in self._selectors if i not in known]
        axes = [range(len(self.dimensions[i].values)) for i in free]
        for choice in itertools.islice(itertools.product(*axes), ENUMERABLE):
            yield dict(zip(free, choice, strict=True))

    @cached_property
    def _slot_of(self) -> dict[tuple[str, str], Slot]:
        return {(slot.site, slot.module): slot for slot in self.slots}

    def _forced(
        self, configuration: Configuration, known: Mapping[int, int]
    ) -> dict[int, int] | None:
        """Indices that the placements force; None when they contradict."""
        indices = dict(known)
        for placement in configuration.placements:
            slot = self._slot_of.get((placement.site, placement.module))
            if slot is None or not self._force(slot, placement, indices):
                return None
        return indices

    def _solve(self, configuration: Configuration, known: Mapping[int, int]) -> Point | None:
        """The point with these indices, the rest off; None when it is another configuration's."""
        indices = dict(known)
        for i, dimension in enumerate(self.dimensions):
            indices.setdefault(i, dimension.off)
        point = tuple(indices[i] for i in range(len(self.dimensions)))
        same = _table(self.decode(point).placements) == _table(configuration.placements)
        return point if same else None

    def _force(self, slot: Slot, placement: Placement, indices: dict[int, int]) -> bool:
        wanted: dict[int, Value] = dict.fromkeys(slot.gates, True)
        if slot.size in slot.from_dimension:
            wanted |= self.dimensions[slot.from_dimension[slot.size]].when
        for name, value in placement.settings.items():
            if name in slot.from_dimension:
                wanted[slot.from_dimension[name]] = value
            elif slot.fixed.get(name) != value:
                return False
        for index, value in wanted.items():
            values = self.dimensions[index].values
            if value not in values or indices.setdefault(
                index, values.index(value)
            ) != values.index(value):
                return False
        return True


def _table(placements: Sequence[Placement]) -> str:
    return digest.of_configuration(Configuration(tuple(placements), 0.0))
