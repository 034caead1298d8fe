"""Scores, errors and losses of text classification against values known from elsewhere."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from autopeft.tasks.text_classification import TASK
from autopeft.types import Examples, TaskData

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTIONS = np.array([0, 0, 1, 1, 1, 0])


def value(metric, predictions, labels):
    return TASK.metrics[metric].value(np.asarray(predictions), np.asarray(labels))


def error(metric, predictions, labels):
    return TASK.metrics[metric].error(np.asarray(predictions), np.asarray(labels))


def test_accuracy_is_the_default():
    assert list(TASK.metrics) == ["accuracy", "macro_f1", "matthews"]


def test_values_by_hand():
    assert value("accuracy", PREDICTIONS, LABELS) == pytest.approx(4 / 6)
    assert value("macro_f1", PREDICTIONS, LABELS) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert value("matthews", [1, 1, 0, 0], [1, 0, 0, 0]) == pytest.approx(2 / math.sqrt(12))


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_values_are_those_of_scikit_learn(classes):
    from sklearn.metrics import f1_score, matthews_corrcoef

    draw = np.random.default_rng(classes)
    labels = draw.integers(0, classes, 60)
    predictions = np.where(draw.random(60) < 0.6, labels, draw.integers(0, classes, 60))
    f1 = f1_score(labels, predictions, average="macro")
    assert value("macro_f1", predictions, labels) == pytest.approx(f1)
    matthews = matthews_corrcoef(labels, predictions)
    assert value("matthews", predictions, labels) == pytest.approx(matthews)


def test_gap_in_the_class_indices_is_no_class():
    assert value("macro_f1", [0, 5], [0, 5]) == 1


@pytest.mark.parametrize("metric", TASK.metrics)
def test_perfect_and_one_row(metric):
    assert value(metric, [0, 1, 2], [0, 1, 2]) == 1
    assert math.isfinite(error(metric, [0], [0]))


def test_constant_prediction_has_no_matthews_correlation():
    assert value("matthews", [0, 0, 0], [0, 1, 1]) == 0


def test_labels_stored_as_floats():
    assert value("macro_f1", PREDICTIONS, LABELS.astype(float)) == value(
        "macro_f1", PREDICTIONS, LABELS
    )


def test_binomial_error_of_the_accuracy():
    assert error("accuracy", [1] * 75 + [0] * 25, [1] * 100) == pytest.approx(
        math.sqrt(0.75 * 0.25 / 100)
    )


@pytest.mark.parametrize("metric", ["macro_f1", "matthews"])
def test_bootstrap_error_is_that_of_resampled_rows(metric):
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 150)
    predictions = np.where(draw.random(150) < 0.7, labels, 0)
    rows = draw.integers(0, 150, (400, 150))
    by_rows = np.std([value(metric, predictions[r], labels[r]) for r in rows], ddof=1)
    assert error(metric, predictions, labels) == pytest.approx(by_rows, rel=0.2)
    assert error(metric, predictions, labels) == error(metric, predictions, labels)


def test_many_classes_do_not_warn():
    labels = np.arange(77).repeat(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0 < error("macro_f1", (labels + (labels % 2)) % 77, labels) < 0.2


def test_loss_is_the_cross_entropy_of_each_configuration():
    logits = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 3, 1, 2, 2])
    alone = [torch.nn.functional.cross_entropy(part, labels) for part in logits]
    assert torch.allclose(TASK.loss(logits, labels), torch.stack(alone))


def test_loss_of_equal_logits_and_of_half_precision():
    zeros = torch.zeros(2, 3, 8, dtype=torch.bfloat16)
    loss = TASK.loss(zeros, torch.tensor([1, 2, 7]))
    assert loss.dtype == torch.float32
    assert loss.tolist() == pytest.approx([math.log(8)] * 2)
    assert TASK.loss(zeros.double(), torch.tensor([1, 2, 7])).dtype == torch.float64


def test_diverged_configuration_stays_alone():
    logits = torch.zeros(2, 3, 2, requires_grad=True)
    spoiled = logits * torch.tensor([float("nan"), 1.0])[:, None, None]
    loss = TASK.loss(spoiled, torch.tensor([0, 1, 1]))
    assert loss.isnan().tolist() == [True, False]


def test_prediction_and_outputs():
    logits = torch.tensor([[[0.0, 2.0, 1.0]], [[3.0, 2.0, 1.0]]])
    assert TASK.predict(logits).tolist() == [[1], [0]]
    empty = Examples((), ())
    data = TaskData("d", "text_classification", ("a", "b", "c"), empty, empty, empty, "")
    assert TASK.outputs(data) == 3
