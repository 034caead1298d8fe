"""Scores and curves of runs whose answers are counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autopeft import catalog, run_scores
from autopeft.training.loop import Rung, Trained
from autopeft.types import Metric

ACCURACY: Metric = catalog.tasks.load("text_classification").metrics["accuracy"]
LABELS = torch.tensor([0, 1, 1, 0]).numpy()


def run(*rungs: tuple[int, float, list[int]]) -> Trained:
    paused: Any = None
    reached = tuple(Rung(step, loss, torch.tensor(found)) for step, loss, found in rungs)
    return Trained(reached, True, paused, 1.0, 1)


def test_one_seed_has_the_error_of_its_rows() -> None:
    found = run_scores.scores([run((4, 0.7, [0, 1, 1, 1]))], ACCURACY, LABELS)
    assert found["score"].value == 0.75
    assert found["score"].error == pytest.approx((0.75 * 0.25 / 4) ** 0.5)
    assert found["train_loss"].value == 0.7


def test_seeds_are_averaged_and_their_spread_adds_to_the_error() -> None:
    """Scores of 0.75 and 0.25: a spread of 0.125 ** 0.5, over the root of two."""
    runs = [run((4, 0.5, [0, 1, 1, 1])), run((4, 1.0, [1, 0, 0, 0]))]
    found = run_scores.scores(runs, ACCURACY, LABELS)
    assert found["score"].value == 0.5
    assert found["score"].error == pytest.approx((0.75 * 0.25 / 4 + 0.125 / 2) ** 0.5)
    assert found["train_loss"].value == 0.75


def test_a_curve_has_a_point_for_every_rung_and_a_score_is_of_the_last() -> None:
    runs = [
        run((2, 2.0, [0, 0, 0, 0]), (4, 0.5, [0, 1, 1, 1])),
        run((2, 4.0, [1, 1, 1, 1]), (4, 1.0, [0, 1, 1, 0])),
    ]
    assert run_scores.curve(runs, ACCURACY, LABELS) == [
        {"step": 2, "train_loss": 3.0, "score": 0.5, "rows": 4},
        {"step": 4, "train_loss": 0.75, "score": 0.875, "rows": 4},
    ]
    assert run_scores.scores(runs, ACCURACY, LABELS)["score"].value == 0.875


def test_an_early_score_is_of_the_rows_that_were_predicted() -> None:
    runs = [run((2, 2.0, [0, 1]), (4, 0.5, [0, 1, 1, 1]))]
    assert [(p["score"], p["rows"]) for p in run_scores.curve(runs, ACCURACY, LABELS)] == [
        (1.0, 2),
        (0.75, 4),
    ]
