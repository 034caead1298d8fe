"""Successive halving over fronts: what is not expected on the front is not trained on.

Halving (Jamieson and Talwalkar, AISTATS 2016) keeps the best by one number. Here the whole front of
expected final value and costs goes on, and behind it the next fronts (nondominated sorting, as
NSGA-II's) up to a share of all that reached the rung. So does the whole front of training loss and
costs, because early in a search little is known of what to expect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autopeft import pareto
from autopeft.types import Direction

RUNGS: Mapping[float, float] = {0.15: 0.35, 0.4: 0.6}
"""Share of the steps -> share of the trials that are there that go on."""


@dataclass(frozen=True)
class Expected:
    """A trial at a rung."""

    number: int
    final: float
    """Expected at the end; more is better."""
    loss: float
    """Of training, at the rung."""
    costs: tuple[float, ...]
    """Less is better."""


def shares(steps: int) -> dict[int, float]:
    """Step at which a rung ends -> share of the trials that go on from there."""
    return {max(1, round(share * steps)): kept for share, kept in RUNGS.items()}


def behind(batch: Sequence[Expected], seen: Sequence[Expected], share: float) -> dict[int, str]:
    """Of a batch at a rung, the trials that do not go on, and what is ahead of them.

    Args:
        batch: to decide about.
        seen: all others that reached the rung before.
        share: of all that goes on, if the front is not larger.
    """
    together = [*seen, *batch]
    kept = going(together, share)
    return {one.number: _words(one, together) for one in batch if one.number not in kept}


def going(reached: Sequence[Expected], share: float) -> set[int]:
    """Numbers of the trials that go on: both fronts whole, and the next ones up to the share."""
    count = math.ceil(share * len(reached))
    left, chosen = list(reached), list[int]()
    while left and (not chosen or len(chosen) < count):
        layer = _front(left, lambda one: -one.final)
        room = count - len(chosen) if chosen else len(layer)
        chosen += [one.number for one in _spread(layer, room)]
        taken = {one.number for one in layer}
        left = [one for one in left if one.number not in taken]
    return {*chosen, *(one.number for one in _front(reached, lambda one: one.loss))}


def _front(reached: Sequence[Expected], order: Callable[[Expected], float]) -> list[Expected]:
    """What nothing beats in both that order and the costs, less being better in all."""
    rows = [(order(one), *one.costs) for one in reached]
    ways: list[Direction] = ["minimize" for _ in rows[0]] if rows else []
    return [reached[i] for i in pareto.front(rows, ways)]


def _spread(layer: Sequence[Expected], count: int) -> list[Expected]:
    """So many of a front, from its cheapest to its dearest at even ranks."""
    if count >= len(layer):
        return list(layer)
    ordered = sorted(layer, key=lambda one: (one.costs, one.number))
    step = (len(ordered) - 1) / max(1, count - 1)
    return [ordered[round(i * step)] for i in range(count)]


def _words(one: Expected, reached: Sequence[Expected]) -> str:
    """The best that cost no more."""
    able = [
        other
        for other in reached
        if other is not one
        and all(theirs <= mine for theirs, mine in zip(other.costs, one.costs, strict=True))
    ]
    ahead = max(able, key=lambda other: (other.final, -other.number))
    return f"expected to end behind trial {ahead.number}, at no higher cost"
