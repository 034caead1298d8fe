"""Contests by name."""

from __future__ import annotations

from tests.benchmarks import surface_contest
from tests.benchmarks.contest import Contest
from tests.benchmarks.surface import SHAPES

HELP = f"{', '.join(SHAPES)}; `:3` adds memory, `:blind` takes the score away; repeatable"
DEFAULT = tuple(SHAPES)


def load(name: str, seed: int) -> Contest:
    """The contest of that name; the seed decides the initial design."""
    base, *options = name.split(":")
    return surface_contest.contest(
        base, seed, costs=2 if "3" in options else 1, worth="blind" not in options
    )
