"""What a rung says of the end: a guess that the study's own trials correct."""

from __future__ import annotations

import random

import pytest

from autopeft.rungs.forecast import LEAST_TRIALS, Early, Forecast, forecast
from autopeft.types import Measured


def learned(trials: list[tuple[float, float, float]], *, error: float = 0.0) -> Forecast:
    """From (score, loss, final)."""
    found = forecast(
        [Early(9, score, loss) for score, loss, _ in trials],
        [Measured(final, error) for _, _, final in trials],
    )
    assert found is not None
    return found


def drawn(count: int, seed: int = 0) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    return [(draw.random(), draw.random()) for _ in range(count)]


def test_many_trials_teach_any_linear_relation() -> None:
    found = learned([(s, t, 20 * s + 30 * t + 5) for s, t in drawn(300)])
    for s, t in ((0.0, 0.0), (1.0, 0.2), (0.3, 0.9)):
        assert found.of(Early(9, s, t)).value == pytest.approx(20 * s + 30 * t + 5, abs=0.5)


def test_few_trials_that_tell_nothing_leave_the_guess() -> None:
    """More score and less loss is better."""
    signs = [(a, b) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    found = learned([(*signs[k % 4], float(k >= 4)) for k in range(8)])
    best, worst = found.of(Early(9, 1.0, 0.0)), found.of(Early(9, 0.0, 1.0))
    assert best.value > 0.5 > worst.value


def test_equal_ends_are_foretold_for_all() -> None:
    found = learned([(s, t, 50.0) for s, t in drawn(10)], error=2.0)
    assert found.of(Early(9, 9.0, -9.0)).value == pytest.approx(50.0)
    assert found.of(Early(9, 0.5, 0.5)).error > 2.0


def test_equal_beginnings_tell_nothing() -> None:
    found = learned([(0.5, 1.0, float(k)) for k in range(10)])
    assert found.of(Early(9, 0.5, 1.0)).value == pytest.approx(4.5)


def test_the_error_covers_what_is_left_out() -> None:
    draw = random.Random(4)
    trials = [(s, t, 10 * s + draw.gauss(0, 1)) for s, t in drawn(400, seed=1)]
    found = learned(trials[:30])
    inside = sum(
        abs(found.of(Early(9, s, t)).value - final) < found.of(Early(9, s, t)).error
        for s, t, final in trials[30:]
    )
    assert 0.58 < inside / 370 < 0.80


def test_nothing_is_said_of_too_few() -> None:
    few = [(Early(9, 0.1 * k, 1.0), Measured(float(k), 1.0)) for k in range(LEAST_TRIALS - 1)]
    assert forecast([early for early, _ in few], [final for _, final in few]) is None
