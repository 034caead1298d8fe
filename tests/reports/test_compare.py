"""Two trials side by side, with the error of what they differ by."""

from __future__ import annotations

import dataclasses
import math

import pytest

from autopeft import catalog
from autopeft.types import Measured, TrialRecord, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("compare")


def trial(number: int, accuracy: float, error: float) -> TrialRecord:
    made = fixture.measured_trial(number, fixture.lora(range(6), ("mlp.up",), (number + 1,)), "m")
    objectives = {**made.objectives, "accuracy": Measured(accuracy, error)}
    return dataclasses.replace(made, objectives=objectives)


def test_it_needs_two_trials(view: View) -> None:
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."
    assert "Only one" in view.unavailable(fixture.of_trials((trial(0, 90, 1),)))
    assert view.unavailable(fixture.make()) == ""


def test_independent_errors_add_in_squares(view: View) -> None:
    html = view.html(fixture.of_trials((trial(0, 80, 3), trial(1, 90, 4))))
    assert "+10 ± 5 points" in html
    assert "the two errors taken to be independent" in html


def test_errors_on_the_same_rows_partly_cancel(view: View) -> None:
    paired = {"trials": [0, 1], "correlation": [[1.0, 0.5], [0.5, 1.0]]}
    html = view.html(fixture.of_trials((trial(0, 80, 3), trial(1, 90, 4)), paired=paired))
    error = math.sqrt(9 + 16 - 2 * 0.5 * 12)
    assert f"+10 ± {error:.0f} points" in html


def test_where_they_differ_is_counted_and_named(view: View) -> None:
    html = view.html(fixture.of_trials((trial(0, 80, 3), trial(1, 90, 4))))
    assert "They differ at 6 places: 0.mlp.up lora 2 against 1" in html


def test_the_data_has_every_trial_that_is_drawn(view: View) -> None:
    results = fixture.make()
    data = view.data(results)
    assert len(data["values"]) == len(data["facts"]) == 38
    assert data["first"][0] in results.front
    assert data["first"][0] != data["first"][1]
