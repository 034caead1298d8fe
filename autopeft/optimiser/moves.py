"""Steps from one point of a space to a nearby one: single, paired, and whole blocks of layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autopeft.optimiser.grid import Grid
from autopeft.space.space import Dimension

LONG = 20
"""From this many values on, steps grow up to a quarter of the axis."""
LEAP = 0.3
"""Chance that an exchange goes to any value of a short axis."""

Row = NDArray[np.int16]
"""One point."""
Move = Callable[[Row, np.random.Generator], Row]


def family_of(dimension: Dimension) -> str:
    """What a dimension sets, whatever the layer or group it is for."""
    return dimension.name.partition("[")[0]


class Moves:
    """The neighbourhood of a space's points. No move changes the row it is given."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.space = grid.space

    def neighbour(self, row: Row, rng: np.random.Generator) -> Row:
        """A random neighbour; the point itself when the step leads nowhere."""
        return self._kinds[int(rng.integers(len(self._kinds)))](row, rng)

    def exchange(self, row: Row, rng: np.random.Generator) -> Row:
        """One dimension takes another value, more often a near one."""
        index = self._free[int(rng.integers(len(self._free)))]
        count = int(self.grid.counts[index])
        moved = row.copy()
        if count < LONG and rng.random() < LEAP:
            moved[index] = rng.integers(count)
            return moved
        step = _stride(count, rng) * (1 if rng.random() < 0.5 else -1)
        moved[index] = min(max(int(row[index]) + step, 0), count - 1)
        return moved

    def transfer(self, row: Row, rng: np.random.Generator) -> Row:
        """One size goes down and another up, which moves budget."""
        down = self._sized[row[self._sized] > 0]
        up = self._sized[row[self._sized] < self.grid.counts[self._sized] - 1]
        if not len(down) or not len(up):
            return row
        giver, taker = down[rng.integers(len(down))], up[rng.integers(len(up))]
        moved = row.copy()
        if giver != taker:
            moved[giver] -= 1
            moved[taker] += 1
        return moved

    def shift_block(self, row: Row, rng: np.random.Generator) -> Row:
        """Neighbouring layers of one kind of dimension all go one step up, or all down."""
        family = self._families[int(rng.integers(len(self._families)))]
        lows, highs = self._spans[:, family]
        lowest, highest = int(lows.min()), int(highs.max())
        start = int(rng.integers(lowest, highest + 1))
        end = int(rng.integers(start, highest + 1))
        block = family[(lows >= start) & (highs <= end)]
        moved = row.copy()
        step = 1 if rng.random() < 0.5 else -1
        moved[block] = np.clip(row[block] + step, 0, self.grid.counts[block] - 1)
        return moved

    def cut_below(self, row: Row, rng: np.random.Generator) -> Row:
        """Everything in the layers below a random one is switched off, which saves memory."""
        lows, highs = self._spans[:, self._layered]
        cut = int(rng.integers(lows.min(), highs.max() + 1))
        below = self._layered[highs < cut]
        moved = row.copy()
        moved[below] = self.grid.off[below]
        return moved

    @cached_property
    def layers(self) -> dict[int, tuple[int, int]]:
        """Lowest and highest layer of every switchable dimension that is not for all layers."""
        found: dict[int, set[int]] = {}
        every: set[int] = set()
        for index, layer in self._uses():
            found.setdefault(index, set()).add(layer)
            every.add(layer)
        return {
            index: (min(layers), max(layers))
            for index, layers in found.items()
            if layers != every and self.grid.switchable[index]
        }

    @cached_property
    def families(self) -> list[list[int]]:
        """Dimensions of `layers`, grouped by what they set."""
        grouped: dict[str, list[int]] = {}
        for index in sorted(self.layers):
            grouped.setdefault(family_of(self.space.dimensions[index]), []).append(index)
        return list(grouped.values())

    # --- details ------------------------------------------------------------------------------

    @cached_property
    def _kinds(self) -> list[Move]:
        if not len(self._free):
            return [lambda row, rng: row]
        kinds: list[Move] = [self.exchange, self.exchange, self.transfer]
        return [*kinds, self.shift_block, self.cut_below] if self.families else kinds

    @cached_property
    def _free(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.grid.counts > 1)

    @cached_property
    def _sized(self) -> NDArray[np.intp]:
        return np.setdiff1d(self._free, [self.space.learning_rate])

    @cached_property
    def _families(self) -> list[NDArray[np.intp]]:
        return [np.array(family) for family in self.families]

    @cached_property
    def _layered(self) -> NDArray[np.intp]:
        return np.concatenate(self._families)

    @cached_property
    def _spans(self) -> NDArray[np.intp]:
        """Lowest and highest layers, shape 2 x dimensions; 0 for dimensions of all layers."""
        spans = np.zeros((2, len(self.grid.counts)), dtype=np.intp)
        for index, span in self.layers.items():
            spans[:, index] = span
        return spans

    def _uses(self) -> Iterator[tuple[int, int]]:
        for slot in self.space.slots:
            for index in (*slot.from_dimension.values(), *slot.gates):
                yield index, int(slot.site.partition(".")[0])


def _stride(count: int, rng: np.random.Generator) -> int:
    """1 on a short axis, log-uniform up to a quarter of a long one."""
    return 1 if count < LONG else round(math.exp(rng.uniform(0, math.log(count / 4))))
