"""Which trials of a batch stop at a rung, and which of those stopped get another go.

What a rung says of the end is known better after every batch. A trial that was stopped on the
word of a few others is trained again, then to its end, once more of them say that it was worth it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autopeft.rungs import promotion
from autopeft.rungs.promotion import Finished, Reached
from autopeft.types import Measured


@dataclass(frozen=True)
class Stop:
    """One trial that is not trained on."""

    words: str
    """Why."""
    final: Measured
    """Of the trained objective, signed so that more is better, predicted."""


def stops(batch: Sequence[Reached], finished: Sequence[Finished]) -> dict[int, Stop]:
    """Trial number -> its stop; none while too few are fully trained to predict an end.

    Args:
        batch: to decide about.
        finished: the fully trained trials, as they were at the same rung.
    """
    outlooks = {one.number: promotion.outlook(one.early, one.costs, finished) for one in batch}
    return {
        number: Stop(found.words, found.final)
        for number, found in outlooks.items()
        if found and found.hopeless
    }


def another_go(
    stopped: Sequence[Reached], finished: Callable[[int], Sequence[Finished]]
) -> list[int]:
    """Numbers of the stopped trials that would not be stopped any more, most promising first.

    Args:
        stopped: at the rung where each was stopped.
        finished: step of a rung -> the fully trained trials, as they were there.
    """
    left = {}
    for one in stopped:
        found = promotion.outlook(one.early, one.costs, finished(one.early.step))
        if found is not None and not found.hopeless:
            left[one.number] = found.left
    return sorted(left, key=lambda number: (-left[number], number))
