"""Successive halving over fronts: what is on no front at a rung is not trained on.

Halving (Jamieson and Talwalkar, AISTATS 2016) keeps the best by one number. Here the whole front of
training loss and costs goes on, and that of score and costs, and behind them the next fronts
(nondominated sorting, as NSGA-II's) up to a share of all that reached the rung. Early on, training
loss foretells the end better than the coarse score; the score keeps what learns late but well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from autopeft import pareto
from autopeft.promotion import Early, Reached
from autopeft.types import Direction

RUNGS: Mapping[float, float] = {0.15: 0.25, 0.4: 0.05}
"""Share of the steps -> least share of the trials that go on from there."""
ORDERS: Mapping[str, Callable[[Early], float]] = {
    "training loss": lambda early: early.train_loss,
    "score": lambda early: -early.score,
}
"""What counts at a rung; less is better."""


def shares(steps: int) -> dict[int, float]:
    """Step at which a rung ends -> least share of the trials that go on from there."""
    return {max(1, round(share * steps)): least for share, least in RUNGS.items()}


def behind(batch: Sequence[Reached], seen: Sequence[Reached], share: float) -> dict[int, str]:
    """Of a batch at a rung, the trials that do not go on, and what is ahead of them.

    Args:
        batch: to decide about.
        seen: all others that reached the rung before.
        share: least share of all that goes on, half of it by each order.
    """
    together = [*seen, *batch]
    kept = going(together, share)
    return {one.number: _words(one, together) for one in batch if one.number not in kept}


def going(reached: Sequence[Reached], share: float) -> set[int]:
    """Numbers of the trials that go on: both fronts, and the next fronts up to the share."""
    count = math.ceil(share * len(reached) / len(ORDERS))
    return {number for order in ORDERS.values() for number in _best(reached, order, count)}


def _best(reached: Sequence[Reached], order: Callable[[Early], float], count: int) -> list[int]:
    """The first front whole, then as much of the next ones as there is room for."""
    left, chosen = list(reached), list[int]()
    while left and (not chosen or len(chosen) < count):
        rows = [(order(one.early), *one.costs) for one in left]
        layer = [left[i] for i in pareto.front(rows, _all_less(rows))]
        room = count - len(chosen) if chosen else len(layer)
        chosen += [one.number for one in _spread(layer, room)]
        taken = {one.number for one in layer}
        left = [one for one in left if one.number not in taken]
    return chosen


def _all_less(rows: Sequence[Sequence[float]]) -> list[Direction]:
    return ["minimize" for _ in rows[0]]


def _spread(layer: Sequence[Reached], count: int) -> list[Reached]:
    """So many of a front, from its cheapest to its dearest at even ranks."""
    if count >= len(layer):
        return list(layer)
    ordered = sorted(layer, key=lambda one: (one.costs, one.number))
    step = (len(ordered) - 1) / max(1, count - 1)
    return [ordered[round(i * step)] for i in range(count)]


def _words(one: Reached, reached: Sequence[Reached]) -> str:
    """The best that cost no more, by each order."""
    able = [
        other
        for other in reached
        if other is not one
        and all(theirs <= mine for theirs, mine in zip(other.costs, one.costs, strict=True))
    ]
    ahead = [
        f"trial {min(able, key=lambda other: (order(other.early), other.number)).number} in {name}"
        for name, order in ORDERS.items()
    ]
    return f"behind {' and '.join(ahead)}, at no higher cost"
