"""Scores, errors and losses of text regression against values known from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autopeft.tasks.text_regression import TASK
from autopeft.types import Examples, TaskData


def value(metric, predictions, labels):
    return TASK.metrics[metric].value(np.asarray(predictions), np.asarray(labels))


def error(metric, predictions, labels):
    return TASK.metrics[metric].error(np.asarray(predictions), np.asarray(labels))


def test_spearman_is_the_default():
    assert list(TASK.metrics) == ["spearman", "pearson"]


def test_values_by_hand():
    assert value("pearson", [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]) == pytest.approx(0.5)
    assert value("spearman", [1.0, 2.0, 3.0, 4.0], [1.0, 8.0, 27.0, 64.0]) == pytest.approx(1)
    assert value("spearman", [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]) == pytest.approx(0.6)


@pytest.mark.parametrize("metric", TASK.metrics)
def test_values_with_ties_are_those_of_scipy(metric):
    from scipy import stats

    draw = np.random.default_rng(0)
    labels = draw.integers(0, 6, 50) / 2
    predictions = (labels + draw.normal(size=50)).round(1)
    known = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[metric]
    assert value(metric, predictions, labels) == pytest.approx(known(predictions, labels).statistic)


@pytest.mark.parametrize("metric", TASK.metrics)
@pytest.mark.parametrize("predictions", [[0.1, 0.1, 0.1], [float("nan"), 1.0, 2.0]])
def test_constant_or_broken_predictions_score_zero(metric, predictions):
    assert value(metric, predictions, [1.0, 2.0, 3.0]) == 0


@pytest.mark.parametrize("metric", TASK.metrics)
def test_error_is_near_that_of_the_formula_and_repeats(metric):
    draw = np.random.default_rng(1)
    labels = draw.normal(size=400)
    predictions = labels + draw.normal(size=400)
    correlation = value("pearson", predictions, labels)
    formula = (1 - correlation**2) / np.sqrt(400)
    assert error(metric, predictions, labels) == pytest.approx(formula, rel=0.35)
    assert error(metric, predictions, labels) == error(metric, predictions, labels)
    assert error(metric, [1.0], [1.0]) == 0


def test_loss_is_the_squared_error_of_each_configuration():
    logits = torch.tensor([[[1.0], [2.0]], [[0.0], [5.0]]])
    assert TASK.loss(logits, torch.tensor([1.0, 4.0])).tolist() == [2.0, 1.0]


def test_loss_with_other_types():
    loss = TASK.loss(torch.ones(1, 2, 1, dtype=torch.bfloat16), torch.tensor([1.0, 0.0]).double())
    assert loss.dtype == torch.float32
    assert loss.tolist() == [0.5]


def test_prediction_and_outputs():
    assert TASK.predict(torch.tensor([[[1.5], [2.5]]])).tolist() == [[1.5, 2.5]]
    empty = Examples((), ())
    data = TaskData("d", "text_regression", (), empty, empty, empty, "")
    assert TASK.outputs(data) == 1
