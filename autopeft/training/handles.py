"""Hooks that are there for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def held(handles: Sequence[Any]) -> Iterator[None]:
    """Removes the handles on leaving, the last one first."""
    try:
        yield
    finally:
        for handle in reversed(handles):
            handle.remove()
