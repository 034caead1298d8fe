"""Put tables together that were built apart, such as by several machines.

    python -m tests.benchmarks.table.merge FOLDER ... --into FOLDER

Every task's rows of all folders, each training once; the first folder that holds it wins. Facts
must agree on model, data, space, protocol and budget.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.benchmarks.table.file import Row, Table, read, write


def merged(tables: Iterable[Table]) -> Table:
    """All trainings, each once; ValueError when they are about different things."""
    found = Table((), {})
    for table in tables:
        for space, facts in table.facts.items():
            found = found.with_facts(space, facts)
        known = {_training(row) for row in found.rows}
        found = found.with_rows([row for row in table.rows if _training(row) not in known])
    return found


def _training(row: Row) -> tuple[str, str, int]:
    return row.space, row.digest, row.seed


def tasks(folders: Sequence[Path]) -> list[str]:
    """Names of all tables in the folders."""
    return sorted({path.stem for folder in folders for path in folder.glob("*.parquet")})


def main() -> None:
    """Write one file per task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    for task in tasks(options.folder):
        table = merged(read(folder / f"{task}.parquet") for folder in options.folder)
        write(table, options.into / f"{task}.parquet")
        print(f"{task}: {len({_training(row) for row in table.rows})} trainings")


if __name__ == "__main__":
    main()
