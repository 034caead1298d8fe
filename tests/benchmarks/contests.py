"""Contests by name: synthetic surfaces, and tables of real trainings."""

from __future__ import annotations

from pathlib import Path

from autopeft.errors import UsageError
from tests.benchmarks import surface_contest
from tests.benchmarks.contest import Contest
from tests.benchmarks.surface import SHAPES
from tests.benchmarks.table import contest as table_contest
from tests.benchmarks.table.contest import FOLDER

HELP = (
    f"{', '.join(SHAPES)}, or a table such as trec/mixed/pool or trec/mixed/surrogate; `:3` adds "
    "memory and `:blind` takes the importance score away"
)
DEFAULT = tuple(SHAPES)


def load(name: str, seed: int, *, folder: Path = FOLDER) -> Contest:
    """The contest of that name; the seed decides the initial design.

    Args:
        name: as `HELP` says.
        seed: of the initial design.
        folder: of the tables.

    Raises:
        UsageError: there is no such contest.
    """
    base, *options = name.split(":")
    costs, worth = 2 if "3" in options else 1, "blind" not in options
    if base in SHAPES:
        return surface_contest.contest(base, seed, costs=costs, worth=worth)
    task, _, rest = base.partition("/")
    space, _, mode = rest.partition("/")
    if mode not in table_contest.MODES:
        raise UsageError(f"there is no problem `{name}`", hint=f"name one of {HELP}")
    found = table_contest.source(task, space, costs, worth=worth, folder=folder)
    return table_contest.contest(found, mode, seed)
