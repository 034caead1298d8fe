"""Reading one file: JSON lines, JSON, CSV, TSV or Parquet, in UTF-8."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from autopeft.data.table import Table, from_rows
from autopeft.errors import UsageError

LONGEST_FIELD = 1 << 30


def read_file(path: Path) -> Table:
    """The rows of a file; UsageError names the line that cannot be read."""
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise UsageError(
            f"`{path}` is not a data file that can be read here.",
            hint=f"Readable formats: {', '.join(READERS)}.",
        )
    table = read(path)
    if not len(table):
        raise UsageError(f"`{path}` has no rows.", hint="Give a file with texts and labels.")
    return table


def _read_text(path: Path) -> str:
    """The contents without a byte order mark."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        _unreadable(path, error)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(
            f"`{path}` is not UTF-8 at line {line}.",
            hint="Save it again as UTF-8, for example with `iconv -t UTF-8`.",
        ) from None


def _unreadable(path: Path, error: OSError) -> NoReturn:
    raise UsageError(
        f"`{path}` cannot be read: {error.strerror or error}.",
        hint="Check the path and its permissions.",
    ) from None


# --- JSON -------------------------------------------------------------------------------------


def _read_json_lines(path: Path) -> Table:
    return from_rows(str(path), _json_lines(path, _read_text(path)))


def _read_json(path: Path) -> Table:
    """A list of objects, or JSON lines under the name `.json`."""
    text = _read_text(path)
    first, _, rest = text.lstrip().partition("\n")
    if rest.strip() and _is_object(first):
        return from_rows(str(path), _json_lines(path, text))
    rows = _parse(path, text, line=0)
    if not isinstance(rows, list):
        raise UsageError(f"`{path}` does not hold a list.", hint="Write a list of JSON objects.")
    return from_rows(str(path), [_object(path, row, f"item {i + 1}") for i, row in enumerate(rows)])


def _json_lines(path: Path, text: str) -> list[Mapping[str, Any]]:
    lines = enumerate(text.split("\n"), start=1)
    return [
        _object(path, _parse(path, line, line=number), f"line {number}")
        for number, line in lines
        if line.strip()
    ]


def _parse(path: Path, text: str, *, line: int) -> Any:
    """Parsed JSON; `line` is where the text stands in its file, 0 for the whole file."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        place = line or getattr(error, "lineno", 1)
        reason = getattr(error, "msg", "too deep or too large a value")
        raise UsageError(
            f"`{path}` is not JSON at line {place}: {reason}.",
            hint="Write one JSON object per line (.jsonl), or a list of objects (.json).",
        ) from None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _object(path: Path, value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(
            f"`{path}` does not hold a JSON object at {place}.",
            hint='Each row is an object such as {"text": "...", "label": "..."}.',
        )
    return value


# --- CSV and TSV ------------------------------------------------------------------------------


def _read_csv(path: Path) -> Table:
    text = _read_text(path)
    header = text.partition("\n")[0]
    delimiter = ";" if ";" in header and "," not in header else ","
    return _delimited(path, text, delimiter=delimiter)


def _read_tsv(path: Path) -> Table:
    """Tab-separated values, where many writers leave quotation marks as they are."""
    text = _read_text(path)
    try:
        return _delimited(path, text, delimiter="\t")
    except UsageError:
        return _delimited(path, text, delimiter="\t", quoting=csv.QUOTE_NONE)


def _delimited(path: Path, text: str, *, delimiter: str, quoting: Any = csv.QUOTE_MINIMAL) -> Table:
    csv.field_size_limit(LONGEST_FIELD)
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    rows: list[list[str]] = []
    header: list[str] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header)
        for row in reader:
            _check_row(path, row, header, line=reader.line_num)
            rows += [row] if row else []
    except csv.Error as error:
        raise UsageError(
            f"`{path}` cannot be parsed at line {reader.line_num}: {error}.",
            hint="Quote fields that hold the delimiter, and double the quotes within them.",
        ) from None
    return Table(str(path), {name: [row[i] for row in rows] for i, name in enumerate(header)})


def _check_header(path: Path, header: list[str]) -> None:
    if any(name.replace(".", "", 1).isdigit() for name in header):
        raise UsageError(
            f"`{path}` seems to have no header: its first line is `{', '.join(header)[:80]}`.",
            hint="Add a first line with the names of the columns, such as `text,label`.",
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise UsageError(f"`{path}` has two columns `{twice[0]}`.", hint="Rename one of them.")


def _check_row(path: Path, row: list[str], header: list[str], *, line: int) -> None:
    if row and len(row) != len(header):
        raise UsageError(
            f"`{path}` has {len(row)} fields at line {line}, and {len(header)} columns.",
            hint="Quote fields that hold the delimiter or a line break.",
        )


# --- Parquet ----------------------------------------------------------------------------------


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except OSError as error:
        _unreadable(path, error)
    except pyarrow.ArrowException as error:
        raise UsageError(
            f"`{path}` is not a Parquet file: {str(error).splitlines()[0]}",
            hint="Write it again, for example with `DataFrame.to_parquet`.",
        ) from None
    return Table(str(path), {name: table[name].to_pylist() for name in table.column_names})


READERS: Mapping[str, Callable[[Path], Table]] = {
    ".jsonl": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}
