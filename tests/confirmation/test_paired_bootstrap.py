"""Shared noise is kept, missing labels are noticed, seeds add their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from autopeft.confirmation.paired_bootstrap import correlation, draws
from autopeft.types import Measured, TrialRecord
from tests import results_fixture as fixture

ROWS = 400


def accuracy(predictions: Any, labels: Any) -> float:
    return float((predictions == labels).mean())


def trial(number: int, predictions: Sequence[int], labels: Sequence[int]) -> TrialRecord:
    share = accuracy(np.array(predictions), np.array(labels))
    error = (share * (1 - share) / len(labels)) ** 0.5
    return dataclasses.replace(
        fixture.measured_trial(number, [], "model"),
        objectives={"accuracy": Measured(100 * share, 100 * error)},
        measurements={"score": Measured(share, error)},
        provenance={
            "seeds": [0],
            "predictions": list(predictions),
            "curve": [{"step": 1, "score": share}],
        },
    )


@pytest.fixture(scope="module")
def labels() -> list[int]:
    return np.random.default_rng(1).integers(0, 3, ROWS).tolist()


def wrong_on(labels: Sequence[int], rows: range) -> list[int]:
    return [(label + 1) % 3 if i in rows else label for i, label in enumerate(labels)]


def test_the_spread_is_the_binomial_standard_error(labels: list[int]) -> None:
    one = trial(0, wrong_on(labels, range(100)), labels)
    found = draws([one], "accuracy", labels, accuracy)
    assert found.paired == (True,)
    assert found.noise[:, 0].std() == pytest.approx(one.objectives["accuracy"].error, rel=0.1)
    assert found.noise.mean() == pytest.approx(0, abs=0.3)


def test_the_same_errors_move_together_and_disjoint_ones_apart(labels: list[int]) -> None:
    trials = [
        trial(0, wrong_on(labels, range(100)), labels),
        trial(1, wrong_on(labels, range(100)), labels),
        trial(2, wrong_on(labels, range(100, 200)), labels),
    ]
    matrix = correlation(draws(trials, "accuracy", labels, accuracy))
    assert matrix[0][1] == 1.0
    # Of two disjoint quarters of the rows: -p / (1 - p) = -1/3.
    assert matrix[0][2] == pytest.approx(-1 / 3, abs=0.12)


@pytest.mark.parametrize("known", [[], [0, 1], None])
def test_without_the_right_labels_the_error_is_an_independent_one(
    labels: list[int], known: list[int] | None
) -> None:
    one = trial(3, wrong_on(labels, range(100)), labels)
    other = [0] * ROWS if known is None else known
    found = draws([one], "accuracy", other, accuracy)
    assert found.paired == (False,)
    assert found.noise.std() == pytest.approx(one.objectives["accuracy"].error, rel=0.1)


def test_the_spread_over_seeds_comes_on_top(labels: list[int]) -> None:
    one = trial(4, wrong_on(labels, range(100)), labels)
    error = 3 * one.objectives["accuracy"].error
    several = dataclasses.replace(
        one,
        objectives={"accuracy": Measured(75.0, error)},
        measurements={"score": Measured(0.75, error / 100)},
        provenance={**one.provenance, "seeds": [0, 1, 2]},
    )
    noise = draws([several], "accuracy", labels, accuracy).noise
    assert noise.std() == pytest.approx(error, rel=0.1)


def test_no_trials_and_no_error() -> None:
    assert draws([], "accuracy", [], None).noise.shape[1] == 0
    exact = dataclasses.replace(
        fixture.measured_trial(0, [], "model"), objectives={"accuracy": Measured(50.0)}
    )
    assert not draws([exact], "accuracy", [], None).noise.any()


def test_the_same_trials_give_the_same_draws(labels: list[int]) -> None:
    trials = [trial(n, wrong_on(labels, range(10 * n)), labels) for n in (1, 2)]
    first, second = (draws(trials, "accuracy", labels, accuracy).noise for _ in range(2))
    assert np.array_equal(first, second)
