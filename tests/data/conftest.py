"""Small data sets on disk."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

Record = Mapping[str, Any]
Writer = Callable[[str, Sequence[Record]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes records to a file of that name, in the format of its suffix."""

    def write_file(name: str, records: Sequence[Record]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[path.suffix](path, records)
        return path

    return write_file


def _jsonl(path: Path, records: Sequence[Record]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


def _json(path: Path, records: Sequence[Record]) -> None:
    path.write_text(json.dumps(list(records)), encoding="utf-8")


def _delimited(path: Path, records: Sequence[Record]) -> None:
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)


def _parquet(path: Path, records: Sequence[Record]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(records)), path)


WRITERS = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _delimited,
    ".tsv": _delimited,
    ".parquet": _parquet,
}


@pytest.fixture
def reviews() -> Callable[..., list[dict[str, Any]]]:
    """Records with different texts and labels in turn."""

    def make(rows: int, labels: Sequence[Any] = ("bad", "good"), *, prefix: str = "film") -> Any:
        return [
            {"text": f"{prefix} number {i}", "label": labels[i % len(labels)]} for i in range(rows)
        ]

    return make
