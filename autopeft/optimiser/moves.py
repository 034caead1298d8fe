"""Steps from one point of a space to a nearby one: single, paired, and whole blocks of layers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from autopeft.space import Dimension, Space
from autopeft.types import Point

if TYPE_CHECKING:
    import numpy as np

LONG = 20
"""From this many values on, steps grow up to a quarter of the axis."""


def switches_off(dimension: Dimension) -> bool:
    """Whether one of the values means that nothing is there."""
    value = dimension.values[dimension.off]
    return value is False or value == 0


def family_of(dimension: Dimension) -> str:
    """What a dimension sets, whatever the layer or group it is for."""
    return dimension.name.partition("[")[0]


class Moves:
    """The neighbourhood of a space's points."""

    def __init__(self, space: Space) -> None:
        self.space = space

    def neighbour(self, point: Point, rng: np.random.Generator) -> Point:
        """A random neighbour; the point itself when the step leads nowhere."""
        kinds = [self.exchange, self.exchange, self.transfer]
        if self.families:
            kinds += [self.shift_block, self.cut_below]
        return kinds[int(rng.integers(len(kinds)))](point, rng)

    def exchange(self, point: Point, rng: np.random.Generator) -> Point:
        """One dimension takes another value, more often a near one."""
        index = self._free[int(rng.integers(len(self._free)))]
        count = len(self.space.dimensions[index].values)
        if count < LONG and rng.random() < 0.3:
            return _with(point, {index: int(rng.integers(count))})
        return self._stepped(point, index, int(rng.choice((-1, 1))) * _stride(count, rng))

    def transfer(self, point: Point, rng: np.random.Generator) -> Point:
        """One size goes down and another up, which moves budget."""
        sized = self._sized
        down = [i for i in sized if point[i] > 0]
        up = [i for i in sized if point[i] < len(self.space.dimensions[i].values) - 1]
        if not down or not up:
            return point
        giver, taker = down[int(rng.integers(len(down)))], up[int(rng.integers(len(up)))]
        if giver == taker:
            return point
        return self._stepped(self._stepped(point, giver, -1), taker, 1)

    def shift_block(self, point: Point, rng: np.random.Generator) -> Point:
        """Neighbouring layers of one kind of dimension all go one step up, or all down."""
        family = self.families[int(rng.integers(len(self.families)))]
        lowest, highest = self._span(family)
        start = int(rng.integers(lowest, highest + 1))
        end = int(rng.integers(start, highest + 1))
        step = int(rng.choice((-1, 1)))
        for index in family:
            low, high = self.layers[index]
            if start <= low and high <= end:
                point = self._stepped(point, index, step)
        return point

    def cut_below(self, point: Point, rng: np.random.Generator) -> Point:
        """Everything in the layers below a random one is switched off, which saves memory."""
        layered = [i for family in self.families for i in family]
        lowest, highest = self._span(layered)
        cut = int(rng.integers(lowest, highest + 1))
        dimensions = self.space.dimensions
        off = {i: dimensions[i].off for i in layered if self.layers[i][1] < cut}
        return _with(point, off)

    @cached_property
    def layers(self) -> dict[int, tuple[int, int]]:
        """Lowest and highest layer of every switchable dimension that is not for all layers."""
        found: dict[int, set[int]] = {}
        every: set[int] = set()
        for index, layer in self._uses():
            found.setdefault(index, set()).add(layer)
            every.add(layer)
        dimensions = self.space.dimensions
        return {
            index: (min(layers), max(layers))
            for index, layers in found.items()
            if layers != every and switches_off(dimensions[index])
        }

    @cached_property
    def families(self) -> list[list[int]]:
        """Dimensions of `layers`, grouped by what they set."""
        grouped: dict[str, list[int]] = {}
        for index in sorted(self.layers):
            grouped.setdefault(family_of(self.space.dimensions[index]), []).append(index)
        return list(grouped.values())

    @cached_property
    def _free(self) -> list[int]:
        return [i for i, d in enumerate(self.space.dimensions) if len(d.values) > 1]

    @cached_property
    def _sized(self) -> list[int]:
        return [i for i in self._free if i != self.space.learning_rate]

    def _uses(self) -> Iterator[tuple[int, int]]:
        for slot in self.space.slots:
            for index in (*slot.from_dimension.values(), *slot.gates):
                yield index, int(slot.site.partition(".")[0])

    def _span(self, indices: list[int]) -> tuple[int, int]:
        return min(self.layers[i][0] for i in indices), max(self.layers[i][1] for i in indices)

    def _stepped(self, point: Point, index: int, step: int) -> Point:
        last = len(self.space.dimensions[index].values) - 1
        return _with(point, {index: min(max(point[index] + step, 0), last)})


def _stride(count: int, rng: np.random.Generator) -> int:
    """1 on a short axis, log-uniform up to a quarter of a long one."""
    return 1 if count < LONG else round(math.exp(rng.uniform(0, math.log(count / 4))))


def _with(point: Point, changes: dict[int, int]) -> Point:
    return tuple(changes.get(i, value) for i, value in enumerate(point))
