"""What is printed and where: results on stdout, everything else on stderr.

The only file that knows whether a stream is a terminal: tables for people, tab-separated lines
for a pipe, JSON for programs.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

RED, BOLD, PLAIN = "\x1b[1;31m", "\x1b[1m", "\x1b[0m"


class PipeClosed(Exception):
    """The reader of stdout has gone, as with `| head`; there is nobody left to tell."""


@dataclass(frozen=True)
class Table:
    """Rows of text under headings; without headings a list of facts."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = field(default_factory=frozenset)
    """Indices of the columns that are aligned to the right."""
    heat: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """(row, column) -> 0 to 1: how deeply a terminal colours the cell."""


def facts(pairs: Mapping[str, str]) -> Table:
    """Names and values, those without a value left out."""
    return Table((), [(name, value) for name, value in pairs.items() if value])


# --- stdout -----------------------------------------------------------------------------------


def show(table: Table) -> None:
    """A table: aligned in a terminal, tab-separated in a pipe."""
    if sys.stdout.isatty():
        with _pipe():
            _show_aligned(table)
        return
    lines = [table.columns, *table.rows] if table.columns else table.rows
    for line in lines:
        text("\t".join(_one_line(cell) for cell in line))


def show_json(data: Any) -> None:
    """One JSON document; null where a number is not finite."""
    text(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False))


def json_line(data: Any) -> None:
    """One object on one line, flushed."""
    text(json.dumps(_finite(data), ensure_ascii=False, allow_nan=False))
    with _pipe():
        sys.stdout.flush()


def text(line: str) -> None:
    """A line of the result."""
    with _pipe():
        print(line)


def flush() -> None:
    """Hand over what is still buffered."""
    with _pipe():
        sys.stdout.flush()


def discard() -> None:
    """Send the rest of stdout nowhere, so that closing it raises nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --- stderr -----------------------------------------------------------------------------------


def note(line: str) -> None:
    """A line that is not part of the result."""
    print(_one_line(line), file=sys.stderr, flush=True)


def fact(name: str, line: str) -> None:
    """A named fact, such as `study   mrpc.journal, new`."""
    note(f"{name:<7} {line}")


def hint(line: str) -> None:
    """What to do next."""
    if line:
        print(f"\n{_styled('hint:', BOLD)} {_one_line(line)}", file=sys.stderr, flush=True)


def failure(message: str, advice: str = "", *, word: str = "error:") -> None:
    """What went wrong and what to do about it."""
    print(f"{_styled(word, RED)} {sentence(message)}", file=sys.stderr, flush=True)
    hint(sentence(advice))


def sentence(words: str) -> str:
    """On one line, in small letters unless it begins with a name, without a full stop."""
    line = _one_line(words).strip()
    if line.endswith(".") and not line.endswith(".."):
        line = line[:-1]
    first = line.split(" ", 1)[0]
    return line[:1].lower() + line[1:] if first.istitle() or len(first) == 1 else line


def can_draw() -> bool:
    """Whether stderr is a terminal on which a block can be redrawn."""
    dumb = os.environ.get("TERM", "") in ("dumb", "")
    return sys.stderr.isatty() and not dumb and not os.environ.get("AUTOPEFT_NO_PROGRESS")


# --- details ----------------------------------------------------------------------------------


@contextmanager
def _pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise PipeClosed from None


def _styled(word: str, style: str) -> str:
    coloured = sys.stderr.isatty() and _may_colour()
    return f"{style}{word}{PLAIN}" if coloured else word


def _may_colour() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _one_line(cell: str) -> str:
    """The text with tabs, line breaks and other control characters as blanks."""
    return "".join(c if c.isprintable() else " " for c in cell)


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data


def _show_aligned(table: Table) -> None:
    from rich.table import Table as RichTable
    from rich.text import Text

    head = bool(table.columns)
    made = RichTable(box=None, pad_edge=False, show_header=head, header_style="bold")
    names: Iterable[str] = table.columns or [""] * len(table.rows[0] if table.rows else ())
    for index, name in enumerate(names):
        right = index in table.numbers
        made.add_column(Text(name), justify="right" if right else "left", no_wrap=right)
    for number, row in enumerate(table.rows):
        cells = [Text(_one_line(cell), _heat_style(table, number, i)) for i, cell in enumerate(row)]
        made.add_row(*cells)
    console(sys.stdout).print(made)


def _heat_style(table: Table, row: int, column: int) -> str:
    """Dark text on a red that is the deeper the hotter, or no style."""
    heat = table.heat.get((row, column))
    if heat is None:
        return ""
    pale = round(255 - 155 * min(max(heat, 0.0), 1.0))
    return f"black on rgb(255,{pale},{pale})"


def console(stream: TextIO) -> Any:
    """A rich console on a stream, without markup or guesses about numbers."""
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)
