"""Storages that come and go within a stretch of a training step, their bytes affine in sizes.

A layer is recorded with module sizes that no other dimension has, so that each storage tells which
size it grows with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

TELLING, STEP = 2**36, 2**26
"""Module sizes of a recording: TELLING, TELLING + STEP, ...; no other dimension is as large."""
SHARED_BITS = 20
"""Most storages from before the layers."""
BLOCK = {"cpu": 1, "cuda": 512}
"""Bytes that an allocator rounds up to."""

Owner = Literal["own", "input", "gradient", "shared"]


class NotComposable(Exception):
    """The model keeps something in a way that layer by layer accounting cannot express."""


def telling_sizes(count: int) -> list[int]:
    """One size for each module in a layer that is recorded."""
    return [TELLING + index * STEP for index in range(count)]


@dataclass(frozen=True)
class Item:
    """A storage that comes or goes within a layer's time."""

    owner: Owner
    number: int
    """Of the storage: on the tape, or among the storages from before the layers if shared."""
    sign: int
    constant: int
    slope: int
    module: int
    """Index of the module whose size the slope multiplies; -1 for none."""


@dataclass(frozen=True)
class Period:
    """Items in order, evaluated by sizes."""

    items: tuple[Item, ...]

    def amount(
        self, sizes: Sequence[int], block: int, *, inputs: bool, shared: int
    ) -> tuple[int, int]:
        """(most bytes above the start, bytes more at the end than at the start).

        Args:
            sizes: of the layer's modules.
            block: bytes that the allocator rounds up to.
            inputs: whether what the layer reads is released where it lets go of it.
            shared: one bit for each shared storage that is released where it lets go of it.
        """
        counted = self._owned | (self._input & inputs) | ((self._shared & shared) != 0)
        level = np.cumsum(self._signs * self.bytes(sizes, block) * counted)
        return (max(0, int(level.max())), int(level[-1])) if level.size else (0, 0)

    def bytes(self, sizes: Sequence[int], block: int) -> NDArray[np.int64]:
        """Bytes of each item as the allocator hands them out."""
        by_module = np.array([*sizes, 0], dtype=np.int64)
        return rounded(self._constants + self._slopes * by_module[self._modules], block)

    @cached_property
    def shared(self) -> int:
        """One bit for each shared storage that is let go of here."""
        return int(np.bitwise_or.reduce(self._shared[self._signs < 0], initial=0))

    def releases(self, owner: Owner, number: int | None = None) -> bool:
        """Whether a storage of that owner, or that one of its storages, is let go of here."""
        return any(
            item.owner == owner and item.sign < 0 and number in (None, item.number)
            for item in self.items
        )

    # --- the items in columns -----------------------------------------------------------------

    def _column(self, values: Sequence[int]) -> NDArray[np.int64]:
        return np.array(values, dtype=np.int64)

    @cached_property
    def _signs(self) -> NDArray[np.int64]:
        return self._column([item.sign for item in self.items])

    @cached_property
    def _constants(self) -> NDArray[np.int64]:
        return self._column([item.constant for item in self.items])

    @cached_property
    def _slopes(self) -> NDArray[np.int64]:
        return self._column([item.slope for item in self.items])

    @cached_property
    def _modules(self) -> NDArray[np.int64]:
        return self._column([item.module for item in self.items])

    @cached_property
    def _owned(self) -> NDArray[np.bool_]:
        return np.array([item.owner in ("own", "gradient") for item in self.items], dtype=bool)

    @cached_property
    def _input(self) -> NDArray[np.bool_]:
        return np.array([item.owner == "input" for item in self.items], dtype=bool)

    @cached_property
    def _shared(self) -> NDArray[np.int64]:
        """A bit for each item that is a shared storage, 0 for others."""
        return self._column([1 << i.number if i.owner == "shared" else 0 for i in self.items])


Size = TypeVar("Size", int, NDArray[np.int64])


def rounded(size: Size, block: int) -> Size:
    """Bytes rounded up to whole blocks."""
    return -(-size // block) * block


def affine(shape: Sequence[int], size: int) -> tuple[int, int, int]:
    """(bytes, bytes per unit of a module's size, which module) of a storage.

    Raises:
        NotComposable: it grows with more than one module.
    """
    telling = [extent for extent in shape if extent >= TELLING]
    if not telling:
        return size, 0, -1
    if len(telling) > 1 or size % telling[0]:
        raise NotComposable(f"storage of shape {tuple(shape)}")
    module, offset = divmod(telling[0] - TELLING, STEP)
    per_unit = size // telling[0]
    return offset * per_unit, per_unit, module
