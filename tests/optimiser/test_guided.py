"""A guess as the mean of a process: followed while it proves right, left alone otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autopeft.optimiser import guided, surrogate
from autopeft.optimiser.hyperparameters import Data

RNG = np.random.default_rng(0)
ROWS = RNG.random((60, 8))
TRUTH = 10 * np.sin(6 * ROWS) @ RNG.normal(size=8)
KNOWN = 7


def data(guess: np.ndarray, known: int = KNOWN) -> Data:
    rows = np.column_stack([ROWS, guess])[:known]
    return Data(tuple(map(tuple, rows.tolist())), tuple(TRUTH[:known].tolist()), (0.5,) * known)


def error(mean: np.ndarray) -> float:
    return float(np.abs(mean[KNOWN:] - TRUTH[KNOWN:]).mean())


def predicted(guess: np.ndarray) -> np.ndarray:
    found = guided.fit(data(guess))
    assert found is not None
    return found.mean_and_deviation(np.column_stack([ROWS, guess]))[0].numpy()


def plain() -> np.ndarray:
    given = data(np.zeros(60))
    found = surrogate.fit(replace(given, rows=tuple(row[:-1] for row in given.rows)))
    assert found is not None
    return found.mean_and_deviation(ROWS)[0].numpy()


def test_a_guess_that_is_right_predicts_what_was_never_seen() -> None:
    right = (TRUTH - TRUTH.mean()) / TRUTH.std() + 0.2 * RNG.normal(size=60)
    assert error(predicted(right)) < 0.6 * error(plain())


@pytest.mark.parametrize(
    "guess",
    [-TRUTH, np.random.default_rng(1).normal(size=60), np.zeros(60)],
    ids=["opposite", "unrelated", "constant"],
)
def test_a_guess_that_is_wrong_costs_next_to_nothing(guess: np.ndarray) -> None:
    assert error(predicted(guess)) < 1.1 * error(plain())


def test_a_guess_that_the_trials_contradict_is_not_used() -> None:
    found = guided.fit(data(-TRUTH))
    assert found is not None
    assert found.slope == 0.0


def test_with_enough_trials_no_guess_is_used() -> None:
    right = (TRUTH - TRUTH.mean()) / TRUTH.std()
    slopes = []
    for known in (guided.ENOUGH - 1, guided.ENOUGH):
        found = guided.fit(data(right, known))
        assert found is not None
        slopes.append(found.slope)
    assert slopes[0] > 0
    assert slopes[1] == 0


def test_what_is_believed_does_not_move_the_mean() -> None:
    guess = (TRUTH - TRUTH.mean()) / TRUTH.std()
    rows = np.column_stack([ROWS, guess])
    found = guided.fit(data(guess))
    assert found is not None
    before, wide = found.mean_and_deviation(rows[-1:])
    after, narrow = found.believe(rows[-1].tolist()).mean_and_deviation(rows[-1:])
    assert after.item() == pytest.approx(before.item(), abs=1e-6)
    assert narrow.item() < wide.item()


def test_where_nothing_can_be_fitted_there_is_nothing() -> None:
    assert guided.fit(data(TRUTH), inner=lambda data: None) is None
