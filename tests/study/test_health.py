"""Warnings about a study, and the rank correlation of early with last scores."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from autopeft import rank_correlation
from autopeft.rank_correlation import early_correlation
from autopeft.study import health
from autopeft.types import Configuration, Measured, Placement, TrialRecord


def trial(
    number: int,
    accuracy: float,
    *,
    early: float | None = None,
    trained: float = 10.0,
    error: float = 0.5,
    state: str = "complete",
) -> TrialRecord:
    curve = [
        {"step": 5, "train_loss": 1.0, "score": accuracy if early is None else early},
        {"step": 10, "train_loss": 0.5, "score": accuracy},
    ]
    return TrialRecord(
        number=number,
        state=state,  # type: ignore[arg-type]
        origin="gp",
        configuration=Configuration((), 1e-3),
        objectives={"accuracy": Measured(accuracy, error)},
        feasible=True,
        point={},
        measurements={"trainable": Measured(trained), "frozen": Measured(1000.0)},
        provenance={"curve": curve},
    )


def test_early_scores_that_rank_alike_correlate_fully() -> None:
    found = early_correlation([trial(i, float(i)) for i in range(12)])
    assert found is not None
    assert found.value == pytest.approx(1.0)
    assert found.low == pytest.approx(1.0)
    assert found.trials == 12
    assert found.share == 0.5


def test_early_scores_that_rank_in_reverse() -> None:
    found = early_correlation([trial(i, float(i), early=-float(i)) for i in range(12)])
    assert found is not None
    assert found.value == pytest.approx(-1.0)


def test_the_known_value_of_spearman() -> None:
    """Swapping neighbours in pairs of 10: 1 - 6 * 10 / (10 * 99) = 0.939."""
    early = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8]
    found = early_correlation([trial(i, float(i), early=e) for i, e in enumerate(early)])
    assert found is not None
    assert found.value == pytest.approx(1 - 60 / 990)
    assert found.low < found.value < found.high


def test_too_few_or_equal_trials_give_no_correlation() -> None:
    assert early_correlation([trial(i, float(i)) for i in range(5)]) is None
    assert early_correlation([trial(i, 1.0) for i in range(12)]) is None
    assert early_correlation([]) is None


def words(trials: list[TrialRecord], front: list[TrialRecord], budget: float = 100.0) -> str:
    correlation = early_correlation(trials)
    return " ".join(
        health.sentences(
            trials,
            front,
            budget_percent=budget,
            learning_rates=[1e-4, 1e-2],
            correlation=correlation,
        )
    )


def test_failures_are_counted() -> None:
    trials = [trial(0, 50.0), trial(1, 0.0, state="failed")]
    assert "1 of 2 trials failed" in words(trials, trials[:1])


def test_points_that_cannot_be_told_apart() -> None:
    front = [trial(0, 50.0), trial(1, 50.4), trial(2, 40.0)]
    assert "2 points of the front are within one standard error" in words(front, front)
    assert "within one standard error" not in words(front, [front[0], front[2]])


def test_a_binding_budget() -> None:
    front = [trial(0, 50.0, trained=5.0)]
    assert "whole budget" in words(front, front, budget=0.5)
    assert "whole budget" not in words(front, front, budget=5.0)
    assert "whole budget" not in words(front, front, budget=100.0)


def test_a_learning_rate_at_the_end_of_its_range() -> None:
    inside, edge = trial(0, 50.0), trial(1, 60.0)
    edge = dataclasses.replace(edge, configuration=Configuration((), 1e-2))
    assert "end of the learning rates" in words([inside, edge], [inside, edge])
    assert "end of the learning rates" not in words([inside], [inside])


def test_a_weak_proxy_is_said() -> None:
    early = [3, 9, 1, 7, 0, 8, 2, 6, 5, 4]
    mixed = [trial(i, float(i), early=e) for i, e in enumerate(early)]
    assert "may rank the trials otherwise" in words(mixed, [])
    assert "weakly" not in words(mixed, [])
    little = [trial(i, float(i), early=4 * i % 101) for i in range(101)]
    assert "rank the trials weakly" in words(little, [])
    reverse = [trial(i, float(i), early=9 - i) for i in range(10)]
    assert "do not rank the trials like" in words(reverse, [])
    assert "weakly" not in words(reverse, [])
    strong = [trial(i, float(i)) for i in range(10)]
    assert "steps" not in words(strong, [])


@pytest.mark.parametrize(
    ("unconfirmed", "said"),
    [(0, ""), (1, "1 of 2 points of the front have only"), (2, "The best of 2 trials was chosen")],
)
def test_what_is_not_confirmed_is_flattered(unconfirmed: int, said: str) -> None:
    trials = [trial(0, 1.0), trial(1, 2.0)]
    sentences = health.sentences(
        trials,
        trials,
        budget_percent=100.0,
        learning_rates=(),
        correlation=None,
        unconfirmed=unconfirmed,
    )
    found = [sentence for sentence in sentences if "which flatter" in sentence]
    assert len(found) == bool(said)
    assert not said or found[0].startswith(said)


def test_a_front_that_still_moves() -> None:
    trials = [trial(i, 50.0 + i) for i in range(12)]
    assert "not yet stable" in words(trials, [trials[11]])
    assert "not yet stable" not in words(trials, [trials[3]])


def test_nothing_finished_says_nothing() -> None:
    assert words([], []) == ""


def sized(number: int, accuracy: float, trained: float) -> TrialRecord:
    placed = (Placement("0.mlp.up", "lora", {"rank": 1}),)
    one = trial(number, accuracy, trained=trained)
    return dataclasses.replace(one, configuration=Configuration(placed, 1e-3))


def drawn(worth: float) -> tuple[list[TrialRecord], list[float]]:
    """Trials whose accuracy follows their size, a score as told, and noise."""
    rng = np.random.default_rng(0)
    sizes, scores, noise = rng.random((3, 40))
    values = sizes + worth * scores + 0.1 * noise
    rows = [sized(i, v, s) for i, (v, s) in enumerate(zip(values, sizes, strict=True))]
    return rows, list(sizes + scores)


def about_space(**changes: Any) -> str:
    nothing = {"points": 0, "tried": 0, "gain": None, "importance": None}
    explored = health.Explored(**nothing | changes)
    front = [trial(0, 50.0)]
    return " ".join(
        health.sentences(
            front,
            front,
            budget_percent=100.0,
            learning_rates=[],
            correlation=None,
            space=explored,
        )
    )


def test_importance_that_ranks_trials_of_equal_size_is_not_complained_of() -> None:
    found = rank_correlation.importance_correlation(*drawn(1.0))
    assert found is not None
    assert found.low > 0.7
    assert "unrelated" not in about_space(importance=found)


def test_importance_that_only_follows_size_is_unrelated() -> None:
    """Both grow with the size, so their plain rank correlation is high."""
    trials, worths = drawn(0.0)
    found = rank_correlation.importance_correlation(trials, worths)
    assert found is not None
    assert found.high < 0.6
    weak = dataclasses.replace(found, value=0.0, low=-0.2, high=0.2)
    assert "unrelated to accuracy here" in about_space(importance=weak)


def test_importance_is_not_judged_on_few_or_failed_trials() -> None:
    trials, worths = drawn(1.0)
    assert rank_correlation.importance_correlation(trials[:19], worths[:19]) is None
    failed = [dataclasses.replace(t, state="failed") for t in trials]
    assert rank_correlation.importance_correlation(failed, worths) is None


def test_a_space_that_is_mostly_tried_is_too_small() -> None:
    assert "too small: 30 of its 40 points" in about_space(points=40, tried=30)
    assert "too small" not in about_space(points=10**9, tried=30)


def test_what_the_model_expects_decides_whether_a_front_is_stable() -> None:
    assert "not yet stable" in about_space(gain=0.2)
    assert "not yet stable" not in about_space(gain=0.001)
    assert health.expected_gain([0.9, 0.1, 0.1, 0.1, 0.1, 0.1]) == pytest.approx(0.1)
    assert health.expected_gain([]) is None


def test_guesses_of_an_earlier_study_are_held_against_the_scores() -> None:
    trials = [trial(i, float(i)) for i in range(12)]
    right = rank_correlation.guess_correlation(trials, [2.0 * i for i in range(12)], sign=1.0)
    assert right is not None
    assert (right.value, right.trials) == (pytest.approx(1.0), 12)
    wrong = rank_correlation.guess_correlation(trials, [2.0 * i for i in range(12)], sign=-1.0)
    assert wrong is not None
    assert wrong.value == pytest.approx(-1.0)
    some = [None] * 5 + [float(i) for i in range(7)]
    assert rank_correlation.guess_correlation(trials, some, sign=1.0) is None
    assert rank_correlation.guess_correlation(trials, [1.0] * 12, sign=1.0) is None


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.6, 0.9, "guides the search well"),
        (0.1, 0.9, "may help or not"),
        (-0.2, 0.2, "helps little here"),
    ],
)
def test_a_warm_start_is_judged_by_its_interval(low: float, high: float, words: str) -> None:
    found = rank_correlation.Correlation((low + high) / 2, low, high, 20, 1.0)
    explored = health.Explored(points=0, tried=0, gain=None, importance=None, warm_start=found)
    sentences = health.sentences(
        [trial(0, 1.0)],
        [],
        budget_percent=100.0,
        learning_rates=(),
        correlation=None,
        space=explored,
    )
    assert len([s for s in sentences if words in s]) == 1
