"""Axes of the space while they are few, of what they amount to when they are many."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from autopeft import catalog
from autopeft.types import Measured, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("parallel")


def test_it_needs_two_trials(view: View) -> None:
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."
    assert "Only one" in view.unavailable(fixture.of_trials(fixture.trials()[:1]))


def test_few_dimensions_have_an_axis_each(view: View) -> None:
    data = view.data(fixture.make())
    labels = [axis["label"] for axis in data["axes"]]
    assert labels[:2] == ["first_layer", "wide"]
    assert labels[2:] == ["accuracy, %", "trainable parameters, %", "peak memory, GB"]
    assert {len(axis["values"]) for axis in data["axes"]} == {38}
    assert [axis["flip"] for axis in data["axes"]] == [False, False, False, True, True]
    assert data["axes"][1]["words"]
    assert data["axes"][0]["values"][0] is None
    json.dumps(data, allow_nan=False)


def test_many_dimensions_are_drawn_together(view: View) -> None:
    trials = tuple(
        dataclasses.replace(t, point={f"layer.{i}": 1 for i in range(40)}) for t in fixture.trials()
    )
    results = fixture.of_trials(trials)
    labels = [axis["label"] for axis in view.data(results)["axes"]]
    assert labels[0] == "active layers"
    assert {"lora, mean size", "serial_adapter, mean size", "learning rate"} <= set(labels)
    assert len(labels) <= 12
    assert "40 dimensions: instead of them" in view.html(results)


def test_the_mean_size_counts_where_a_module_is_on(view: View) -> None:
    wide = fixture.lora(range(6), ("mlp.up",), (2, 4))
    trials = [fixture.measured_trial(n, p, "m") for n, p in enumerate((wide, []))]
    many = tuple(dataclasses.replace(t, point={str(i): 1 for i in range(20)}) for t in trials)
    axes = {a["label"]: a["values"] for a in view.data(fixture.of_trials(many))["axes"]}
    assert axes["lora, mean size"] == [3.0, 0.0]
    assert axes["active layers"] == [6, 0]


def test_a_value_that_is_not_a_number_is_a_gap(view: View) -> None:
    trials = [fixture.measured_trial(n, [], "m") for n in range(2)]
    nan = {**trials[1].objectives, "accuracy": Measured(math.nan)}
    results = fixture.of_trials((trials[0], dataclasses.replace(trials[1], objectives=nan)))
    axes = {a["label"]: a["values"] for a in view.data(results)["axes"]}
    assert axes["accuracy, %"][1] is None
