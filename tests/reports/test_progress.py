"""The hypervolume of every prefix, by brute force, and the way to a random reference."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from autopeft import catalog, pareto
from autopeft.types import Results, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("progress")


def curve(view: View, across: str) -> dict[str, Any]:
    figure = view.data(fixture.make())["figures"]["progress-figure"][across]
    found: dict[str, Any] = figure["data"][0]
    return found


def test_it_needs_two_trials_within_the_limits(view: View) -> None:
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."
    over = tuple(dataclasses.replace(t, feasible=False) for t in fixture.trials()[:5])
    assert "within the limits" in view.unavailable(fixture.of_trials(over))


def test_the_curve_is_the_hypervolume_of_every_prefix(view: View) -> None:
    results = fixture.make()
    able = [t for t in results.trials if t.state == "complete" and t.feasible]
    rows = {t.number: [t.objectives[o.name].value for o in results.objectives] for t in able}
    columns = list(zip(*rows.values(), strict=True))
    scaled = {
        n: [(v - min(c)) / (max(c) - min(c)) for v, c in zip(row, columns, strict=True)]
        for n, row in rows.items()
    }
    directions = [o.direction for o in results.objectives]
    drawn = curve(view, "trials")
    for count, share in zip(drawn["x"], drawn["y"], strict=True):
        prefix = [scaled[t.number] for t in results.trials[:count] if t.number in scaled]
        expected = pareto.hypervolume(prefix, [0.0, 1.0, 1.0], directions)
        assert share == pytest.approx(expected, abs=1e-6)
    assert drawn["x"][-1] == len(results.trials)


def test_seconds_are_those_of_training(view: View) -> None:
    spent = sum(t.measurements["seconds"].value for t in fixture.make().trials)
    assert curve(view, "seconds")["x"][-1] == pytest.approx(spent)


def test_the_way_to_a_random_search_is_a_command(view: View) -> None:
    html = view.html(fixture.make())
    assert "--sampler random --study" in html
    random = fixture.of_trials(fixture.trials(), settings={"sampler": "random"})
    assert "itself a random search" in view.html(random)


def random_search(count: int) -> Results:
    made = fixture.of_trials(fixture.trials()[:count], settings={"sampler": "random"})
    return dataclasses.replace(made, study="runs/a-random.journal")


def test_a_random_search_is_drawn_in_the_same_box(view: View) -> None:
    own, beside = fixture.make(), random_search(10)
    results = dataclasses.replace(own, info={**own.info, "reference": beside})
    figure = view.data(results)["figures"]["progress-figure"]["trials"]
    assert [trace["name"] for trace in figure["data"][:2]] == [
        "this study",
        "a-random, a random search",
    ]
    # The random search is the first ten trials of the study, in the same box: the same curve.
    assert figure["data"][1]["y"][:-1] == figure["data"][0]["y"][: len(figure["data"][1]["y"]) - 1]
    html = view.html(results)
    assert "After 10 trials the study covers" in html
    assert "No random search was given" not in html


def test_another_task_is_no_fair_reference(view: View) -> None:
    own = fixture.make()
    beside = random_search(10)
    other = dataclasses.replace(beside, info={**beside.info, "metric": "f1"})
    results = dataclasses.replace(own, info={**own.info, "reference": other})
    assert "The two differ in metric" in view.html(results)


def test_without_one_the_random_draws_of_the_design_stand_in(view: View) -> None:
    trials = tuple(
        dataclasses.replace(t, origin="spread") if 3 <= t.number < 7 else t
        for t in fixture.trials()
    )
    figure = view.data(fixture.of_trials(trials))["figures"]["progress-figure"]
    line = figure["trials"]["data"][1]
    assert line["name"].startswith("defaults, then 4 random draws")
    assert line["x"] == [3, 4, 5, 6, 7]
    own = figure["trials"]["data"][0]
    after_defaults = max(y for x, y in zip(own["x"], own["y"], strict=True) if x <= 3)
    after_draws = max(y for x, y in zip(own["x"], own["y"], strict=True) if x <= 7)
    assert line["y"][0] == pytest.approx(after_defaults)
    assert line["y"][-1] == pytest.approx(after_draws)
    assert line["y"] == sorted(line["y"])
    assert "in which no score had a say" in view.html(fixture.of_trials(trials))


def test_a_reference_that_is_no_random_search_is_said_to_be_none(view: View) -> None:
    own = fixture.make()
    beside = dataclasses.replace(random_search(10), info=dict(own.info))
    results = dataclasses.replace(own, info={**own.info, "reference": beside})
    assert "The reference is no random search: its sampler is gp." in view.html(results)
