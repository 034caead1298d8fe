"""How much autograd keeps for the backward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

STATE_BYTES = 16
"""Of a trained float32 weight: itself, its gradient and two moments."""


@dataclass
class Saved:
    """Storages that were saved, each counted once."""

    storages: dict[int, int] = field(default_factory=dict)
    """Address -> bytes."""

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(self.storages.values())


@contextmanager
def saved_bytes(without: Iterable[torch.Tensor]) -> Iterator[Saved]:
    """Counts what is saved for the backward pass inside, the given weights left out."""
    saved = Saved()
    known = {tensor.untyped_storage().data_ptr() for tensor in without}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            saved.storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield saved
