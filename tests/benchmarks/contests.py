"""Contests by name: synthetic surfaces, and tables of real trainings."""

from __future__ import annotations

from tests.benchmarks import surface_contest
from tests.benchmarks.contest import Contest
from tests.benchmarks.surface import SHAPES
from tests.benchmarks.table import contest as table_contest

HELP = (
    f"{', '.join(SHAPES)}, where `:3` adds memory and `:blind` takes the importance score away; "
    "or a table such as sst2/mixed/pool or sst2/mixed/surrogate; repeatable"
)
DEFAULT = tuple(SHAPES)


def load(name: str, seed: int) -> Contest:
    """The contest of that name; the seed decides the initial design."""
    if "/" in name:
        task, space, mode = name.split("/")
        return table_contest.contest(task, space, mode, seed)
    base, *options = name.split(":")
    return surface_contest.contest(
        base, seed, costs=2 if "3" in options else 1, worth="blind" not in options
    )
