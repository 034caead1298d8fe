"""Outputs of the frozen trunk, kept for rows that come again: in later epochs and later packs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

Key = tuple[str, int, int]
"""(split, layers of the trunk, row)."""


@dataclass(frozen=True)
class Rows:
    """Which rows of which split a batch holds."""

    split: str
    indices: Sequence[int]
    lengths: Sequence[int]
    """Tokens of each row, without padding."""


class TrunkCache:
    """Hidden states by row, in one block of memory for each depth, never above the limit.

    Every depth has the same share of the limit, and a row is kept as it was computed where the
    data order met it first: so what a pack reads does not depend on which packs came before it.
    """

    def __init__(self, limit: int, depths: int, folder: Path | None = None) -> None:
        """Prepare an empty cache; memory is taken as rows come.

        Args:
            limit: bytes of all depths together.
            depths: how many there can be.
            folder: where to keep the blocks in files instead of in memory; the files are gone
                when the process ends. A disk without room for a block means memory instead.
        """
        self.share = limit // max(1, depths)
        self.folder = folder
        self.hits = 0
        self.misses = 0
        self._blocks: dict[int, torch.Tensor] = {}
        self._ends: dict[int, int] = {}
        self._where: dict[Key, tuple[int, int]] = {}

    @property
    def used(self) -> int:
        """Bytes."""
        return sum(end * self._blocks[depth].element_size() for depth, end in self._ends.items())

    def held(self, device: torch.device) -> int:
        """Bytes of a device that the blocks take, used or not."""
        blocks = (block for block in self._blocks.values() if block.device.type == device.type)
        return sum(block.nbytes for block in blocks)

    def get(self, rows: Rows, depth: int, *, width: int) -> torch.Tensor | None:
        """Hidden states [B, width, d], zero where padded; None unless every row is here."""
        found = [self._where.get((rows.split, depth, index)) for index in rows.indices]
        places = [place for place in found if place is not None]
        if len(places) < len(found):
            self.misses += len(found)
            return None
        self.hits += len(found)
        block = self._blocks[depth]
        kept = [
            block[start:end].view(length, -1)
            for (start, end), length in zip(places, rows.lengths, strict=True)
        ]
        padded = nn.utils.rnn.pad_sequence(kept, batch_first=True)
        return nn.functional.pad(padded, (0, 0, 0, width - padded.shape[1]))

    def put(self, rows: Rows, depth: int, hidden: torch.Tensor) -> torch.Tensor:
        """Keep the rows of `hidden` [B, L, d] that are new and for which there is room.

        Gives `hidden` with the rows that were here before as they were kept.
        """
        block = self._block(depth, hidden)
        merged = hidden.clone()
        for position, (index, length) in enumerate(zip(rows.indices, rows.lengths, strict=True)):
            key = (rows.split, depth, index)
            start = self._ends.setdefault(depth, 0)
            end = start + length * hidden.shape[-1]
            if key in self._where:
                start, end = self._where[key]
                merged[position, :length] = block[start:end].view(length, -1)
            elif end <= len(block):
                block[start:end] = hidden[position, :length].flatten()
                self._where[key] = (start, end)
                self._ends[depth] = end
        return merged

    def _block(self, depth: int, like: torch.Tensor) -> torch.Tensor:
        if depth not in self._blocks:
            count = self.share // like.element_size()
            mapped = self._mapped(count, like.dtype) if self.folder is not None else None
            self._blocks[depth] = like.new_empty(count) if mapped is None else mapped
        return self._blocks[depth]

    def _mapped(self, count: int, dtype: torch.dtype) -> torch.Tensor | None:
        """A block in a file whose room is reserved now, so that no later write can fail."""
        size = count * dtype.itemsize
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder) as file:
                os.posix_fallocate(file.fileno(), 0, max(size, 1))
                return torch.from_file(file.name, shared=True, size=count, dtype=dtype)
        except OSError:
            return None
