"""From labels as published to class indices or numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from autopeft.data.rows import Rows
from autopeft.errors import UsageError
from autopeft.types import Examples

CLASSIFICATION = "text_classification"
REGRESSION = "text_regression"


@dataclass(frozen=True)
class Labels:
    """The kind of task, and its class names in index order (none for regression)."""

    task: str
    classes: tuple[str, ...] = ()

    def encode(self, rows: Rows) -> Examples:
        """Rows with class indices or numbers; UsageError for a label never seen in training."""
        texts = tuple(rows.texts)
        if self.task == REGRESSION:
            return Examples(texts, tuple(_required_number(v, rows.where) for v in rows.labels))
        index = {name: float(i) for i, name in enumerate(self.classes)}
        _check_known(rows, index)
        return Examples(texts, tuple(index[class_name(value)] for value in rows.labels))


def find_labels(rows: Rows, column: str, *, task: str, declared: Sequence[str] = ()) -> Labels:
    """The kind of task that the training labels ask for; UsageError when they cannot be learned.

    `declared` is the order of the class names in the source; the default order is by value.
    """
    kind = _guess_task(rows.labels) if task == "auto" else task
    if kind == REGRESSION:
        _check_varied(rows, column, {_required_number(v, rows.where) for v in rows.labels})
        return Labels(REGRESSION)
    _check_plain(rows, column)
    names = {class_name(value) for value in rows.labels}
    _check_varied(rows, column, names)
    if len(names) > len(rows) / 2:
        raise UsageError(
            f"Column `{column}` of `{rows.where}` has {len(names)} classes in {len(rows)} rows.",
            hint="It is probably not a class; name another column with `--label COLUMN`, or use"
            " the task text_regression for numbers.",
        )
    ranks = {name: i for i, name in enumerate(declared)}
    return Labels(CLASSIFICATION, tuple(sorted(names, key=lambda n: (ranks.get(n, 0), _order(n)))))


def class_name(value: Any) -> str:
    """The name of a class: `true`, `3` for 3 and 3.0, or the string itself."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _guess_task(values: Sequence[Any]) -> str:
    """Regression when every label is a number and one of them is not whole."""
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) == len(numbers) and not all(number.is_integer() for number in known):
        return REGRESSION
    return CLASSIFICATION


def _number(value: Any) -> float | None:
    """A finite number, also from its decimal notation; None for anything else, booleans too."""
    if isinstance(value, bool) or not isinstance(value, Real | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _required_number(value: Any, where: str) -> float:
    number = _number(value)
    if number is None:
        raise UsageError(
            f"The label `{value}` of `{where}` is not a number.",
            hint="Regression needs numbers; use the task text_classification for names.",
        )
    return number


def _order(name: str) -> tuple[int, float, str]:
    """Numbers by value before names by alphabet."""
    number = _number(name)
    return (1, 0.0, name) if number is None else (0, number, name)


def _check_plain(rows: Rows, column: str) -> None:
    for value in rows.labels:
        if isinstance(value, bytes | list | tuple | dict):
            raise UsageError(
                f"Column `{column}` of `{rows.where}` holds {type(value).__name__} values, not"
                " one label per row.",
                hint="Name another column with `--label COLUMN`.",
            )


def _check_varied(rows: Rows, column: str, values: set[Any]) -> None:
    if len(values) < 2:
        raise UsageError(
            f"Column `{column}` of `{rows.where}` has only one value, `{values.pop()}`.",
            hint="There is nothing to learn; name another column with `--label COLUMN`.",
        )


def _check_known(rows: Rows, index: Mapping[str, float]) -> None:
    unknown = Counter(name for name in map(class_name, rows.labels) if name not in index)
    if unknown:
        name, count = unknown.most_common(1)[0]
        raise UsageError(
            f"The label `{name}` is in {count} rows of `{rows.where}` and never in training.",
            hint="Correct the label, remove these rows, or add training rows with it.",
        )
