"""Class names, regression, and labels that cannot be learned."""

from __future__ import annotations

import math

import pytest

from autopeft.data.labels import find_labels
from autopeft.data.rows import Rows
from autopeft.errors import UsageError


def rows(*labels, repeat=4):
    values = list(labels) * repeat
    return Rows("data", [(f"text {i}",) for i in range(len(values))], values)


def find(*labels, task="auto", declared=()):
    return find_labels(rows(*labels), "label", task=task, declared=declared)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (("b", "a"), ("a", "b")),
        ((10, 9, 2), ("2", "9", "10")),
        (("10", "9", "2"), ("2", "9", "10")),
        ((1.0, 0.0), ("0", "1")),
        ((True, False), ("false", "true")),
        ((-1, 0, 1), ("-1", "0", "1")),
        (("0.5", "many"), ("0.5", "many")),
    ],
)
def test_classes_in_order(values, classes):
    found = find(*values)
    assert (found.task, found.classes) == ("text_classification", classes)


def test_declared_names_keep_their_order():
    assert find("world", "business", declared=("world", "sports", "business")).classes == (
        "world",
        "business",
    )


@pytest.mark.parametrize("values", [(0.5, 1.0, 3), ("0.5", "1", "3")])
def test_numbers_that_are_not_whole_are_regression(values):
    found = find(*values)
    assert (found.task, found.classes) == ("text_regression", ())
    assert found.encode(rows(*values, repeat=1)).labels == (0.5, 1.0, 3.0)


def test_task_can_be_forced():
    assert find(1, 2, 3, task="text_regression").task == "text_regression"
    assert find(0.5, 1.5, task="text_classification").classes == ("0.5", "1.5")


def test_encoding_gives_class_indices():
    assert find("b", "a").encode(rows("b", "a", "b", repeat=1)).labels == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("values", "task", "part"),
    [
        (("a",), "auto", "only one value, `a`"),
        ((2.5,), "auto", "only one value, `2.5`"),
        (("a", "b"), "text_regression", "`a`"),
        ((True, False), "text_regression", "not a number"),
        ((1.0, math.inf), "text_regression", "not a number"),
        (([1, 2], [3]), "auto", "list values"),
    ],
)
def test_labels_that_cannot_be_learned(values, task, part):
    with pytest.raises(UsageError) as caught:
        find(*values, task=task)
    assert part in caught.value.message
    assert caught.value.hint


def test_more_classes_than_half_the_rows_is_no_label():
    with pytest.raises(UsageError, match="11 classes in 20 rows"):
        find_labels(rows(*range(11), *[0] * 9, repeat=1), "label", task="auto")
    assert len(find_labels(rows(*range(10), repeat=2), "label", task="auto").classes) == 10


def test_label_never_seen_in_training_is_counted():
    with pytest.raises(UsageError, match="`c` is in 2 rows of `data` and never in training"):
        find("a", "b").encode(rows("a", "c", "c", "d", repeat=1))
