"""The table as a file: Parquet rows, one per configuration, seed and rung, with provenance.

Columns are the fields of `Row`; `point` is JSON. The file's metadata under `autopeft` holds, per
space, everything that `about.describe` knows: model, data, protocol, device, versions, digests and
the backbone's sites.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY = b"autopeft"
SCHEMA = "autopeft.table/1"
SCORED = ("rungs", "early_rows")
"""When a search scores; a table's trainings are all scored at its own rungs, on all rows."""


@dataclass(frozen=True)
class Row:
    """One training at one rung."""

    space: str
    digest: str
    """Of the configuration."""
    point: Mapping[str, Any]
    """Dimension -> value."""
    seed: int
    share: float
    """Of the steps."""
    step: int
    score: float
    """On search-validation; NaN when the training failed."""
    error: float
    """Standard error of the last score from the examples alone."""
    train_loss: float
    trainable: int
    memory: int
    """Predicted bytes."""
    seconds: float
    """Of the whole training, its share of the pack."""
    failure: str


@dataclass(frozen=True)
class Table:
    """The rows of one task."""

    rows: tuple[Row, ...]
    facts: Mapping[str, Any]
    """Space -> what it is about."""

    def of_space(self, name: str) -> list[Row]:
        """The rows of one space."""
        return [row for row in self.rows if row.space == name]

    def with_rows(self, rows: Sequence[Row]) -> Table:
        """The table with more rows."""
        return dataclasses.replace(self, rows=(*self.rows, *rows))

    def with_facts(self, space: str, facts: Mapping[str, Any]) -> Table:
        """The table with a space described; ValueError when it is about something else."""
        plain = json.loads(json.dumps(facts))
        before = self.facts.get(space, plain)
        for name in ("digests", "protocol", "budget_percent"):
            if _deciding(before[name]) != _deciding(plain[name]):
                raise ValueError(f"the table's {name} for space `{space}` are others: begin anew")
        return dataclasses.replace(self, facts={**self.facts, space: before})


def _deciding(fact: Any) -> Any:
    """A fact without what decides no row."""
    if not isinstance(fact, Mapping):
        return fact
    return {name: value for name, value in fact.items() if name not in SCORED}


def read(path: Path) -> Table:
    """The table in a file; empty when there is none."""
    import pyarrow.parquet as parquet

    if not path.exists():
        return Table((), {})
    table = parquet.read_table(path)
    facts = json.loads(table.schema.metadata[KEY])["spaces"]
    rows = [Row(**{**row, "point": json.loads(row["point"])}) for row in table.to_pylist()]
    return Table(tuple(rows), facts)


def write(table: Table, path: Path) -> None:
    """Write the file whole, or leave the old one."""
    import pyarrow
    import pyarrow.parquet as parquet

    rows = [{**dataclasses.asdict(row), "point": json.dumps(dict(row.point))} for row in table.rows]
    metadata = {KEY: json.dumps({"schema": SCHEMA, "spaces": dict(table.facts)})}
    found = pyarrow.Table.from_pylist(rows).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    parquet.write_table(found, unfinished, compression="zstd")
    unfinished.replace(path)


@dataclass(frozen=True)
class Entry:
    """One configuration, its seeds taken together at the last rung."""

    point: Mapping[str, Any]
    scores: tuple[float, ...]
    error: float
    trainable: int
    memory: int

    @property
    def score(self) -> float:
        """The mean over the seeds."""
        return math.fsum(self.scores) / len(self.scores)


def entries(table: Table, space: str) -> list[Entry]:
    """The configurations of a space that finished with every seed they were given."""
    found: dict[str, list[Row]] = {}
    for row in table.of_space(space):
        if row.share == 1.0:
            found.setdefault(row.digest, []).append(row)
    kept = (rows for rows in found.values() if all(math.isfinite(row.score) for row in rows))
    return [
        Entry(
            point=rows[0].point,
            scores=tuple(row.score for row in rows),
            error=rows[0].error,
            trainable=rows[0].trainable,
            memory=rows[0].memory,
        )
        for rows in kept
    ]
