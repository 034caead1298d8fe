"""Contests by name: synthetic surfaces, and tables of real trainings."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import surface_contest
from tests.benchmarks.contest import Contest
from tests.benchmarks.surface import SHAPES
from tests.benchmarks.table import contest as table_contest
from tests.benchmarks.table.contest import FOLDER

HELP = (
    f"{', '.join(SHAPES)}, or a table such as trec/mixed/pool or trec/mixed/surrogate; `:3` adds "
    "memory and `:blind` takes the importance score away; repeatable"
)
DEFAULT = tuple(SHAPES)


def load(name: str, seed: int, *, folder: Path = FOLDER) -> Contest:
    """The contest of that name; the seed decides the initial design.

    Args:
        name: as `HELP` says.
        seed: of the initial design.
        folder: of the tables.
    """
    base, *options = name.split(":")
    costs, worth = 2 if "3" in options else 1, "blind" not in options
    if "/" not in base:
        return surface_contest.contest(base, seed, costs=costs, worth=worth)
    task, space, mode = base.split("/")
    found = table_contest.source(task, space, costs, worth=worth, folder=folder)
    return table_contest.contest(found, mode, seed)
