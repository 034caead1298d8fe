"""Columns of values as a source holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """One file or one split of a source, by column; every column has the same length."""

    where: str
    """What messages call it: a path, or a split of a Hub data set."""
    columns: Mapping[str, Sequence[Any]]
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column of class indices -> the names that its source declares."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def from_rows(where: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """The table of some records; a key that a record lacks is None there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return Table(where, {name: [row.get(name) for row in rows] for name in names})
