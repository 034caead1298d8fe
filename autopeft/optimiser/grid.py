"""A space as arrays: many points at once, one row of value indices each.

Choosing one configuration looks at a thousand and more. Here they are laid out, made canonical and
cut into layers together, so that none has to be decoded before it is worth training.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autopeft.space.space import Slot, Space
from autopeft.types import Point

Points = NDArray[np.int16]
"""Shape m x dimensions: value indices."""


class Grid:
    """The dimensions of one space in columns."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.counts = np.array([len(d.values) for d in space.dimensions])
        self.off = np.array([d.off for d in space.dimensions], dtype=np.int16)
        self.switchable = np.array(
            [d.values[d.off] is False or d.values[d.off] == 0 for d in space.dimensions]
        )

    def array(self, points: Sequence[Point]) -> Points:
        """Points as rows."""
        return np.array(points, dtype=np.int16).reshape(len(points), len(self.counts))

    def rows(self, points: Points) -> NDArray[np.float64]:
        """The points in the unit cube, shape m x dimensions."""
        return self._positions[np.arange(len(self.counts)), points]

    def canonical(self, points: Points) -> Points:
        """The same configurations with everything that has no effect switched off.

        Selectors of conditional dimensions stay as they are.
        """
        if not self.space.slots:
            return points
        needed = (self._used(points).astype(np.float32) @ self._refers) > 0
        return np.where(needed | self._kept, points, self.off)

    @cached_property
    def by_layer(self) -> list[tuple[int, tuple[int, ...], tuple[Slot, ...]]]:
        """Of every layer with slots: its index, the dimensions that decide it, and the slots."""
        slots: dict[int, list[Slot]] = {}
        for slot in self.space.slots:
            slots.setdefault(int(slot.site.partition(".")[0]), []).append(slot)
        return [
            (layer, tuple(sorted({i for s in mine for i in self.deciding(s)})), tuple(mine))
            for layer, mine in sorted(slots.items())
        ]

    def deciding(self, slot: Slot) -> set[int]:
        """The dimensions that decide what the slot holds."""
        size = slot.from_dimension.get(slot.size)
        when = () if size is None else self.space.dimensions[size].when
        return {*slot.gates, *slot.from_dimension.values(), *when}

    # --- details ------------------------------------------------------------------------------

    @cached_property
    def _positions(self) -> NDArray[np.float64]:
        table = np.zeros((len(self.counts), int(self.counts.max(initial=1))))
        for index, dimension in enumerate(self.space.dimensions):
            table[index, : len(dimension.values)] = dimension.positions
        return table

    @cached_property
    def _truthy(self) -> NDArray[np.bool_]:
        table = np.zeros((len(self.counts), int(self.counts.max(initial=1))), dtype=bool)
        for index, dimension in enumerate(self.space.dimensions):
            table[index, : len(dimension.values)] = [bool(value) for value in dimension.values]
        return table

    @cached_property
    def _refers(self) -> NDArray[np.float32]:
        """Shape slots x dimensions: 1 where a slot needs the dimension's value."""
        table = np.zeros((len(self.space.slots), len(self.counts)), dtype=np.float32)
        for row, slot in enumerate(self.space.slots):
            table[row, [*slot.gates, *slot.from_dimension.values()]] = 1
        return table

    @cached_property
    def _kept(self) -> NDArray[np.bool_]:
        """Dimensions that always matter: the learning rate and selectors."""
        kept = np.zeros(len(self.counts), dtype=bool)
        kept[[self.space.learning_rate, *(i for d in self.space.dimensions for i in d.when)]] = True
        return kept

    @cached_property
    def _required(self) -> NDArray[np.float32]:
        """Shape dimensions x slots: 1 where a slot is empty if the dimension's value is false."""
        table = np.zeros((len(self.counts), len(self.space.slots)), dtype=np.float32)
        for column, slot in enumerate(self.space.slots):
            size = slot.from_dimension.get(slot.size)
            table[[*slot.gates, *(() if size is None else (size,))], column] = 1
        return table

    @cached_property
    def _fixed(self) -> NDArray[np.bool_]:
        """Of every slot, whether its size, where that is no dimension, is more than nothing."""
        return np.array([bool(slot.fixed.get(slot.size, True)) for slot in self.space.slots])

    @cached_property
    def _chosen(self) -> list[tuple[int, int, int]]:
        """(slot, selector, position of the value that selects the slot)."""
        return [
            (column, index, self.space.dimensions[index].values.index(value))
            for column, slot in enumerate(self.space.slots)
            if (size := slot.from_dimension.get(slot.size)) is not None
            for index, value in self.space.dimensions[size].when.items()
        ]

    def _used(self, points: Points) -> NDArray[np.bool_]:
        """Shape points x slots: whether a point places something in a slot."""
        false = ~self._truthy[np.arange(len(self.counts)), points]
        used: NDArray[np.bool_] = (false.astype(np.float32) @ self._required == 0) & self._fixed
        for column, selector, wanted in self._chosen:
            used[:, column] &= points[:, selector] == wanted
        return used
