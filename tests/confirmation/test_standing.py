"""Confirmation: what is sure is said to be, what is luck is found out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from autopeft.confirmation.standing import Replicates, difference, pooled_spread, standings

ROWS = 400
LABELS = [0.0] * ROWS
DIRECTIONS = ("maximize", "minimize")


def accuracy(predictions: Any, labels: Any) -> float:
    return 100 * float((np.asarray(predictions) == np.asarray(labels)).mean())


def right(count: int, seed: int = 0) -> list[float]:
    """That many rows right, the same ones first for every trial that asks with the same seed."""
    order = np.random.default_rng(seed).permutation(ROWS)
    found = np.ones(ROWS)
    found[order[:count]] = 0.0
    return found.tolist()


def trial(number: int, cost: float, counts: Sequence[int]) -> Replicates:
    return Replicates(number, (cost,), {s: right(c) for s, c in enumerate(counts)})


def test_a_clear_front_is_settled() -> None:
    trials = [trial(0, 1.0, [200, 201]), trial(1, 2.0, [300, 299]), trial(2, 3.0, [250, 251])]
    found = standings(trials, LABELS, accuracy, DIRECTIONS)
    assert [s.chance for s in found] == [1.0, 1.0, 0.0]
    assert all(s.settled for s in found)
    assert [s.score.value for s in found] == pytest.approx([50.125, 74.875, 62.625])


def test_the_error_is_that_of_rows_and_seeds() -> None:
    """Binomial error of 400 rows, and the seeds' own spread on top."""
    (calm,) = standings([trial(0, 1.0, [200, 200])], LABELS, accuracy, DIRECTIONS)
    assert calm.score.error == pytest.approx(2.5, rel=0.1)
    (wild,) = standings([trial(0, 1.0, [160, 240])], LABELS, accuracy, DIRECTIONS)
    spread = pooled_spread([trial(0, 1.0, [160, 240])], LABELS, accuracy)
    assert spread == pytest.approx(10 * 2**0.5)
    assert wild.score.error == pytest.approx(math.hypot(2.5, spread / 2**0.5), rel=0.15)


def test_what_differs_by_chance_stays_open() -> None:
    trials = [trial(0, 1.0, [200, 204]), trial(1, 2.0, [206, 200])]
    found = standings(trials, LABELS, accuracy, DIRECTIONS)
    assert found[0].chance == 1.0
    assert 0.05 < found[1].chance < 0.95
    assert not found[1].settled


def test_one_seed_settles_nothing() -> None:
    found = standings([trial(0, 1.0, [200]), trial(1, 2.0, [390])], LABELS, accuracy, DIRECTIONS)
    assert not any(s.settled for s in found)


def test_equal_predictions_leave_the_dearer_one_off_the_front() -> None:
    trials = [trial(0, 1.0, [200, 200]), trial(1, 2.0, [200, 200])]
    found = standings(trials, LABELS, accuracy, DIRECTIONS)
    assert [s.chance for s in found] == [1.0, 0.0]
    twins = [trial(0, 1.0, [200, 200]), trial(1, 1.0, [200, 200])]
    assert [s.chance for s in standings(twins, LABELS, accuracy, DIRECTIONS)] == [1.0, 1.0]


def test_a_seed_that_diverged_takes_a_trial_off() -> None:
    bad = Replicates(4, (1.0,), {0: right(390), 1: []})
    found = standings([bad, trial(1, 2.0, [200, 200])], LABELS, accuracy, DIRECTIONS)
    assert found[0].chance == 0.0
    assert math.isnan(found[0].score.value)
    assert found[1].chance == 1.0


def test_a_loss_is_better_when_it_is_smaller() -> None:
    trials = [trial(0, 1.0, [200, 201]), trial(1, 2.0, [300, 299]), trial(2, 3.0, [250, 251])]
    found = standings(trials, LABELS, accuracy, ("minimize", "minimize"))
    assert [s.chance for s in found] == [1.0, 0.0, 0.0]


def test_a_paired_difference_is_surer_than_its_two_errors() -> None:
    one, other = trial(0, 1.0, [220, 220]), trial(1, 1.0, [200, 200])
    found = difference(one, other, LABELS, accuracy, 0.0)
    assert found.value == pytest.approx(5.0)
    assert found.error < 1.5 < 2.5
