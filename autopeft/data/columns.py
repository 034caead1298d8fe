"""Which columns hold the texts and the label: as named, or guessed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

from autopeft.data.table import Table
from autopeft.errors import UsageError

TEXTS: Sequence[tuple[str, ...]] = (
    ("text",),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("query", "document"),
    ("sentence",),
    ("review",),
    ("content",),
    ("comment",),
    ("tweet",),
    ("question",),
    ("utterance",),
    ("document",),
)
"""Column names that hold texts, the surest first."""

LABELS: Sequence[tuple[str, ...]] = (
    ("label",),
    ("labels",),
    ("class", "category", "target", "score", "sentiment", "intent", "rating", "stars", "y"),
)
"""Column names that hold labels, the surest group first."""

SAMPLE = 200
"""Values that are looked at to tell texts from other columns."""


@dataclass(frozen=True)
class Columns:
    """The columns that are read."""

    text: tuple[str, ...]
    label: str


def choose_columns(table: Table, *, text: tuple[str, ...], label: str) -> Columns:
    """The named columns, and a guess for those not named; UsageError lists the columns."""
    for name in (*text, *([label] if label else [])):
        require(table, name)
    chosen = label or _guess_label(table, text)
    return Columns(text or _guess_text(table, chosen), chosen)


def require(table: Table, name: str) -> None:
    """UsageError when the table has no such column."""
    if name in table.columns:
        return
    near = difflib.get_close_matches(name, table.columns, n=1)
    raise UsageError(
        f"`{table.where}` has no column `{name}`.",
        hint=(f"Did you mean `{near[0]}`? " if near else "") + _listing(table),
    )


def _guess_label(table: Table, text: tuple[str, ...]) -> str:
    free = {name.lower(): name for name in table.columns if name not in text}
    for group in LABELS:
        found = [free[name] for name in group if name in free]
        if len(found) == 1:
            return found[0]
        if found:
            _ambiguous(table, "label")
    texts = text or _texts_by_name(table.columns)
    others = [name for name in table.columns if name and name not in texts]
    if not texts or len(others) != 1:
        _ambiguous(table, "label")
    return others[0]


def _guess_text(table: Table, label: str) -> tuple[str, ...]:
    others = [name for name in table.columns if name != label]
    known = _texts_by_name(others)
    if known:
        return known
    texts = [name for name in others if _holds_texts(table.columns[name])]
    if len(texts) != 1:
        _ambiguous(table, "text")
    return (texts[0],)


def _texts_by_name(columns: Iterable[str]) -> tuple[str, ...]:
    """The first known group of names that is complete; empty when none is."""
    free = {name.lower(): name for name in columns}
    for group in TEXTS:
        if all(name in free for name in group):
            return tuple(free[name] for name in group)
    return ()


def _holds_texts(values: Sequence[Any]) -> bool:
    """Whether some value is a string that is not a number."""
    return any(isinstance(v, str) and not _is_number(v) for v in islice(values, SAMPLE) if v)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ambiguous(table: Table, what: str) -> NoReturn:
    raise UsageError(
        f"It is not clear which column of `{table.where}` holds the {what}.",
        hint=f"Name it with `--{what} COLUMN`. {_listing(table)}",
    )


def _listing(table: Table) -> str:
    return f"Columns: {', '.join(name or '(unnamed)' for name in table.columns)}."
