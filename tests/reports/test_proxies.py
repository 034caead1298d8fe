"""Whether an early score can be trusted, in words, and what stopping early saved."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from autopeft import catalog
from autopeft.types import Results, TrialRecord, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("proxies")


def correlated(low: float, high: float) -> Results:
    found = {"value": (low + high) / 2, "low": low, "high": high, "trials": 38, "share": 0.5}
    return fixture.of_trials(fixture.trials(), proxy_correlation=found)


def with_curve(trial: TrialRecord, steps: tuple[int, ...]) -> TrialRecord:
    curve: list[dict[str, Any]] = [{"step": s, "train_loss": 1.0, "score": 0.5} for s in steps]
    return dataclasses.replace(trial, provenance={**trial.provenance, "curve": curve})


def test_it_needs_scores_on_the_way(view: View) -> None:
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."
    alone = tuple(with_curve(t, (400,)) for t in fixture.trials()[:3])
    assert "before the end" in view.unavailable(fixture.of_trials(alone))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.6, 0.9, "can be trusted"), (-0.2, 0.3, "poorly"), (0.1, 0.9, "is open")],
)
def test_the_verdict_is_about_the_interval(
    view: View, low: float, high: float, verdict: str
) -> None:
    html = view.html(correlated(low, high))
    assert verdict in html
    assert f"95 % interval {low:.2f} to {high:.2f}" in html


def test_without_a_correlation_it_does_not_judge(view: View) -> None:
    results = fixture.of_trials(fixture.trials(), proxy_correlation=None)
    assert "Too few trials" in view.html(results)


def test_the_figure_shows_the_scores_that_the_verdict_is_about(view: View) -> None:
    trials = tuple(with_curve(t, (10, 20, 40)) for t in fixture.trials()[:3])
    results = fixture.of_trials(trials)
    assert "a score at step 20 and at step 40" in view.html(results)
    layout = view.data(results)["figures"]["proxies-figure"][""]["layout"]
    assert layout["xaxis"]["title"]["text"] == "score at step 20, %"


def test_what_each_rung_stopped_and_saved(view: View) -> None:
    steps = ((100, 400), (100,), (100, 200), (100, 200, 400))
    trials = tuple(with_curve(t, s) for t, s in zip(fixture.trials(), steps, strict=False))
    html = view.html(fixture.of_trials(trials))
    assert '<th scope="row">100</th><td>4</td><td>1</td><td>300</td>' in html
    assert '<th scope="row">200</th><td>3</td><td>1</td><td>200</td>' in html
    # 500 of the 1600 steps of four full trainings.
    assert "saved 31% of the training steps" in html


def test_early_scores_on_some_of_the_rows_are_called_so(view: View) -> None:
    def of(early: int) -> str:
        first, *rest = (with_curve(t, (100, 400)) for t in fixture.trials()[:4])
        for point, rows in zip(first.provenance["curve"], (early, 400), strict=True):
            point["rows"] = rows
        return view.html(fixture.of_trials((first, *rest)))

    assert "Scores before the last step are over 128 of the 400 rows." in of(128)
    assert "of the 400 rows" not in of(400)


def test_what_was_trained_after_all_saved_nothing(view: View) -> None:
    steps = ((100, 400), (100,), (100,), (100, 400))
    first, stopped, other, again = (
        with_curve(t, s) for t, s in zip(fixture.trials(), steps, strict=False)
    )
    again = dataclasses.replace(again, origin=f"again: trial {stopped.number}")
    html = view.html(fixture.of_trials((first, stopped, other, again)))
    assert '<th scope="row">100</th><td>4</td><td>2</td><td>200</td>' in html
    # 1000 steps, where three full trainings are 1200.
    assert "saved 17% of the training steps" in html
    assert "Of the trials stopped, 1 turned out to be worth training after all." in html


def test_memory_predicted_over_measured(view: View) -> None:
    assert "Predicted over measured memory: 1.02 in the middle" in view.html(fixture.make())
