"""Which trials of a batch are stopped at a rung, why, and where each is expected to have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autopeft import halving, promotion
from autopeft.forecast import Forecast
from autopeft.halving import Expected
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
        share: that goes on of all at the rung; None to stop the hopeless only.
    """
    if share is None:
        outlooks = {one.number: promotion.outlook(one.early, one.costs, finished) for one in batch}
        return {
            n: Stop(found.words, found.final)
            for n, found in outlooks.items()
            if found and found.hopeless
        }
    forecast = promotion.expected(finished)
    if forecast is None:
        return {}
    why = halving.behind(_expected(batch, forecast), _expected(seen, forecast), share)
    return {
        one.number: Stop(why[one.number], forecast.of(one.early))
        for one in batch
        if one.number in why
    }


def _expected(reached: Sequence[Reached], forecast: Forecast) -> list[Expected]:
    return [
        Expected(one.number, forecast.of(one.early).value, one.early.train_loss, one.costs)
        for one in reached
    ]
