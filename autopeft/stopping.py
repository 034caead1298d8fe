"""Which trials of a batch are stopped at a rung, why, and where each is expected to have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autopeft import halving, promotion
from autopeft.promotion import Finished, Reached
from autopeft.types import Measured


@dataclass(frozen=True)
class Stop:
    """One trial that is not trained on."""

    words: str
    """Why."""
    final: Measured
    """Of the trained objective, signed so that more is better, predicted."""


def stops(
    batch: Sequence[Reached],
    seen: Sequence[Reached],
    finished: Sequence[Finished],
    *,
    share: float | None,
) -> dict[int, Stop]:
    """Trial number -> its stop; none while too few are fully trained to predict an end.

    Args:
        batch: to decide about.
        seen: all others that reached the rung before.
        finished: those of them that were trained to the end.
        share: least share that goes on behind the fronts; None to stop the hopeless only.
    """
    outlooks = {one.number: promotion.outlook(one.early, one.costs, finished) for one in batch}
    known = {number: outlook for number, outlook in outlooks.items() if outlook is not None}
    if share is None:
        why = {number: outlook.words for number, outlook in known.items() if outlook.hopeless}
    else:
        why = halving.behind(batch, seen, share)
    return {n: Stop(words, known[n].final) for n, words in why.items() if n in known}
