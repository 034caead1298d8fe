"""The figure of any two objectives."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from autopeft import catalog
from autopeft.types import Measured, Results, TrialRecord, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("front")


@pytest.fixture(scope="module")
def figures(view: View) -> dict[str, Any]:
    found: dict[str, Any] = view.data(fixture.make())["figures"]["front-figure"]
    return found


def trial(number: int, *values: float, origin: str = "model") -> TrialRecord:
    names = [objective.name for objective in fixture.OBJECTIVES]
    objectives = {n: Measured(v) for n, v in zip(names, values, strict=True)}
    return dataclasses.replace(fixture.measured_trial(number, [], origin), objectives=objectives)


def named(figure: dict[str, Any], name: str) -> dict[str, Any]:
    return next(trace for trace in figure["data"] if trace.get("name") == name)


def corners(figure: dict[str, Any]) -> list[tuple[float, float]]:
    line = next(trace for trace in figure["data"] if trace["mode"] == "lines")
    return list(zip(line["x"], line["y"], strict=True))


def test_it_needs_two_objectives_and_a_finished_trial(view: View) -> None:
    results = fixture.make()
    assert view.unavailable(results) == ""
    one = dataclasses.replace(results, objectives=results.objectives[:1])
    assert "two objectives" in view.unavailable(one)
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."


def test_there_is_a_figure_for_every_pair_the_default_first(figures: dict[str, Any]) -> None:
    assert next(iter(figures)) == "trainable_parameters/accuracy"
    assert len(figures) == 6


def test_figures_are_json(figures: dict[str, Any]) -> None:
    json.dumps(figures, allow_nan=False)


def test_axes_say_where_better_is_and_bytes_are_scaled(figures: dict[str, Any]) -> None:
    layout = figures["peak_memory/accuracy"]["layout"]
    assert layout["xaxis"]["title"]["text"] == "better ← peak memory, GB"
    assert layout["yaxis"]["title"]["text"] == "accuracy, % → better"
    assert max(named(figures["peak_memory/accuracy"], "front")["x"]) < 3


def test_every_finished_trial_is_drawn_once_in_its_kind(figures: dict[str, Any]) -> None:
    results = fixture.make()
    figure = figures["trainable_parameters/accuracy"]
    drawn = {t["name"]: t["customdata"] for t in figure["data"] if "customdata" in t}
    assert sorted(n for numbers in drawn.values() for n in numbers) == list(range(38))
    assert drawn["default"] == [0, 1, 2]
    assert drawn["over the limit"] == [t.number for t in results.trials[3:38] if not t.feasible]
    assert set(drawn["front"]) == set(results.front) - {0, 1, 2}


def test_kinds_differ_in_shape_and_only_noisy_axes_have_bars(figures: dict[str, Any]) -> None:
    figure = figures["trainable_parameters/accuracy"]
    assert named(figure, "front")["marker"]["symbol"] == "circle"
    assert named(figure, "dominated")["marker"]["symbol"] == "circle-open"
    assert named(figure, "over the limit")["marker"]["symbol"] == "x"
    assert set(named(figure, "default")["marker"]["symbol"]) <= {"square", "square-open"}
    assert "error_x" not in named(figure, "front")
    assert len(named(figure, "front")["error_y"]["array"]) == len(named(figure, "front")["x"])


@pytest.mark.parametrize(
    ("pair", "shape", "expected"),
    [
        ("trainable_parameters/accuracy", "hv", [(1, 70), (1, 80), (2, 90), (3, 90)]),
        ("accuracy/trainable_parameters", "vh", [(70, 1), (80, 1), (90, 2), (90, 3)]),
        ("trainable_parameters/peak_memory", "hv", [(1, 9), (1, 5), (2, 4), (3, 4)]),
    ],
)
def test_stairs(view: View, pair: str, shape: str, expected: list[tuple[float, float]]) -> None:
    trials = (trial(0, 80, 1, 5), trial(1, 90, 2, 4), trial(2, 70, 3, 9))
    figure = view.data(fixture.of_trials(trials))["figures"]["front-figure"][pair]
    assert corners(figure) == expected
    assert figure["data"][0]["line"]["shape"] == shape


def test_stairs_leave_out_what_is_over_the_limit(view: View) -> None:
    over = dataclasses.replace(trial(1, 99, 0.5, 1), feasible=False)
    figures = view.data(fixture.of_trials((trial(0, 80, 1, 5), over)))["figures"]["front-figure"]
    assert corners(figures["trainable_parameters/accuracy"]) == [(1, 80), (1, 80), (1, 80)]


def test_a_far_trial_over_the_limit_does_not_squash_the_axis(view: View) -> None:
    over = dataclasses.replace(trial(2, 91, 100, 5), feasible=False)
    trials = (trial(0, 80, 1, 5), trial(1, 90, 2, 4), over)
    figures = view.data(fixture.of_trials(trials))["figures"]["front-figure"]
    low, high = figures["trainable_parameters/accuracy"]["layout"]["xaxis"]["range"]
    assert low < 1
    assert 2 < high < 3


def test_a_value_that_is_not_a_number_is_not_drawn(view: View) -> None:
    trials = (trial(0, 80, 1, 5), trial(1, math.nan, 2, 4))
    figure = view.data(fixture.of_trials(trials))["figures"]["front-figure"]
    assert named(figure["trainable_parameters/accuracy"], "front")["customdata"] == [0]
    json.dumps(figure, allow_nan=False)


def test_nothing_within_the_limits_is_a_figure_too(view: View) -> None:
    results = fixture.of_trials((dataclasses.replace(trial(0, 80, 1, 5), feasible=False),))
    assert len(view.data(results)["figures"]["front-figure"]) == 6
    assert "none of the finished ones is within the limits" in view.html(results)


def test_hover_is_in_words_and_escaped(view: View) -> None:
    words = view.data(fixture.make())["words"]
    assert words["23"].startswith("#23 lora 4<br>accuracy 90.34 ± 0.21 %<br>trainable")
    assert "3/6 layers<br>learning rate 0.0001<br>front, model" in words["23"]
    assert "<b>" not in words["2"]


def test_the_figure_is_described_in_a_sentence(view: View) -> None:
    html = view.html(fixture.make())
    assert (
        'role="figure" aria-label="18 trials are on the front, from 83.17 ± 0.24 % accuracy' in html
    )
    assert html.count('value="accuracy" selected') == 1
    alone = view.html(fixture.of_trials((trial(0, 80, 1, 5e8),)))
    assert "One trial is on the front: 80.0 % accuracy at 1.00 % trainable parameters." in alone


def with_a_score(score: float) -> Results:
    made = fixture.make()
    given = [{"name": "full fine-tuning", "value": score, "error": 0.4}]
    return dataclasses.replace(made, info={**made.info, "yardsticks": given})


def test_a_score_from_elsewhere_is_a_line_within_the_figure(view: View) -> None:
    figures = view.data(with_a_score(95.0))["figures"]["front-figure"]
    across = figures["trainable_parameters/accuracy"]
    line = named(across, "full fine-tuning 95.0 ± 0.4 % (given)")
    assert line["y"] == [95.0, 95.0]
    assert line["x"] == list(across["layout"]["xaxis"]["range"])
    assert across["layout"]["yaxis"]["range"][1] > 95
    up = named(figures["accuracy/peak_memory"], "full fine-tuning 95.0 ± 0.4 % (given)")
    assert up["x"] == [95.0, 95.0]
    neither = figures["trainable_parameters/peak_memory"]["data"]
    assert not any("given" in trace.get("name", "") for trace in neither)


def test_without_one_the_page_says_that_full_fine_tuning_was_not_run(view: View) -> None:
    assert "Full fine-tuning was not run in this study" in view.html(fixture.make())
    assert "was not run" not in view.html(with_a_score(95.0))


def test_the_surer_a_point_the_larger(view: View) -> None:
    shares = {"trials": {23: 1.0, 21: 0.0}, "how": "said"}
    made = fixture.make()
    results = dataclasses.replace(made, info={**made.info, "front_probability": shares})
    front = named(
        view.data(results)["figures"]["front-figure"]["trainable_parameters/accuracy"], "front"
    )
    sizes = dict(zip(front["customdata"], front["marker"]["size"], strict=True))
    assert (sizes[21], sizes[23]) == (6.0, 11.0)


def test_the_steps_say_for_which_budget(view: View) -> None:
    trials = (trial(0, 80, 1, 5e8), trial(1, 90, 2, 4e8), trial(2, 70, 3, 9e8))
    html = view.html(fixture.of_trials(trials))
    assert "1.00 % to 2.00 %</th>" in html
    assert "2.00 % or more</th>" in html
