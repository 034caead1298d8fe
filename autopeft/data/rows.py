"""From a table to rows of texts with a raw label: what is missing is dropped or refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autopeft.data.columns import Columns, require
from autopeft.data.table import Table
from autopeft.errors import UsageError

MISSING_LIMIT = 0.05
"""Share of rows without a label from which a table is refused."""
UNLABELLED = (-1, "-1")
"""What stands for every label of an unlabelled split, as in GLUE."""


@dataclass(frozen=True)
class Rows:
    """Texts and labels, row by row; labels are as published."""

    where: str
    texts: Sequence[tuple[str, ...]]
    labels: Sequence[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Sequence[int]) -> Rows:
        """The rows at these indices, in their order."""
        return Rows(self.where, [self.texts[i] for i in indices], [self.labels[i] for i in indices])


def read_rows(table: Table, columns: Columns, notes: list[str]) -> Rows:
    """The rows that have a text and a label; adds a note about what is dropped."""
    for name in (*columns.text, columns.label):
        require(table, name)
    return _drop_unlabelled(_drop_empty(_rows(table, columns), notes), columns.label, notes)


def is_labelled(table: Table, label: str) -> bool:
    """Whether any row has a label other than -1."""
    if label not in table.columns:
        return False
    names = table.class_names.get(label, ())
    values = (_label(value, names) for value in table.columns[label])
    return any(value is not None and value not in UNLABELLED for value in values)


def _rows(table: Table, columns: Columns) -> Rows:
    names = table.class_names.get(columns.label, ())
    texts = [[_text(value, table, name) for value in table.columns[name]] for name in columns.text]
    labels = [_label(value, names) for value in table.columns[columns.label]]
    return Rows(table.where, list(zip(*texts, strict=True)), labels)


def _text(value: Any, table: Table, name: str) -> str:
    """The stripped text, empty when missing; lone surrogates, which no tokenizer reads, become `?`.

    UsageError when the value is no text.
    """
    if value is None or value != value:
        return ""
    if isinstance(value, bytes | list | tuple | dict):
        raise UsageError(
            f"Column `{name}` of `{table.where}` holds {type(value).__name__} values, not texts.",
            hint="Name a column of texts with `--text COLUMN`.",
        )
    return str(value).strip().encode("utf-8", "replace").decode()


def _label(value: Any, names: Sequence[str]) -> Any:
    """The label, by name where the source declares one; None when it is missing."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if names and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    return value


def _drop_empty(rows: Rows, notes: list[str]) -> Rows:
    kept = [i for i, texts in enumerate(rows.texts) if any(texts)]
    if not kept:
        raise UsageError(
            f"Every text of `{rows.where}` is empty.",
            hint="Name another column with `--text COLUMN`.",
        )
    if len(kept) < len(rows):
        notes.append(f"Rows without a text dropped from `{rows.where}`: {len(rows) - len(kept)}.")
    return rows.take(kept)


def _drop_unlabelled(rows: Rows, label: str, notes: list[str]) -> Rows:
    kept = [i for i, value in enumerate(rows.labels) if value is not None]
    missing = len(rows) - len(kept)
    if missing and missing >= MISSING_LIMIT * len(rows):
        raise UsageError(
            f"{missing} of {len(rows)} rows of `{rows.where}` have no label in column `{label}`.",
            hint="Label them, remove them, or name another column with `--label COLUMN`.",
        )
    if missing:
        notes.append(f"Rows without a label dropped from `{rows.where}`: {missing}.")
    return rows.take(kept)
