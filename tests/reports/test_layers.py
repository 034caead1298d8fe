"""The map of a configuration is exactly its placements."""

from __future__ import annotations

import dataclasses
import re

import pytest

from autopeft import catalog
from autopeft.types import Configuration, Measured, Placement, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("layers")


def cells(html: str) -> list[list[str]]:
    table = re.search(r'id="layers-map">.*?<tbody>(.*?)</tbody>', html)
    assert table is not None
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in table[1].split("</tr>")[:-1]]


def test_it_needs_a_module(view: View) -> None:
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."
    bare = fixture.of_trials((fixture.measured_trial(0, [], "model"),))
    assert "only the head was trained" in view.unavailable(bare)
    assert view.unavailable(fixture.make()) == ""


def test_every_size_stands_at_its_layer_and_site(view: View) -> None:
    placements = [
        Placement("0.attention.query", "lora", {"rank": 4}),
        Placement("5.attention.query", "lora", {"rank": 16}),
        Placement("2.mlp", "serial_adapter", {"bottleneck": 12}),
        Placement("3.attention.query", "lora", {"rank": 0}),
    ]
    results = fixture.of_trials((fixture.measured_trial(0, placements, "model"),))
    expected = [["", ""] for _ in range(6)]
    expected[0][0], expected[5][0], expected[2][1] = "4", "16", "12"
    assert cells(view.html(results)) == expected
    assert view.data(results)["columns"] == [["lora", "attention.query"], ["serial_adapter", "mlp"]]


def test_the_largest_of_its_kind_has_the_last_colour(view: View) -> None:
    placements = [Placement(f"{n}.mlp", "serial_adapter", {"bottleneck": n + 1}) for n in range(6)]
    results = fixture.of_trials((fixture.measured_trial(0, placements, "model"),))
    steps = re.findall(r'<td class="s(\d+)">\d', view.html(results))
    assert steps[-1] == "10"
    assert [int(step) for step in steps] == sorted(map(int, steps))


def test_a_module_without_a_size_is_on(view: View) -> None:
    placed = (Placement("1.attention.key", "ia3", {}),)
    trial = fixture.measured_trial(0, [], "model")
    trial = dataclasses.replace(trial, configuration=Configuration(placed, 1e-3))
    assert cells(view.html(fixture.of_trials((trial,))))[1] == ["on"]


def test_what_ships_is_drawn_where_it_is_recorded_and_it_is_said(view: View) -> None:
    held = [Placement(f"{n}.mlp.up", "adalora", {"rank": 4}) for n in range(2)]
    shipped = [{"site": "1.mlp.up", "module": "lora", "settings": {"rank": 7, "scaling": 2.0}}]
    trial = dataclasses.replace(
        fixture.measured_trial(0, [], "model"), configuration=Configuration(tuple(held), 1e-3)
    )
    recorded = dataclasses.replace(trial, number=1, provenance={"shipped": shipped})
    alone = view.html(fixture.of_trials((recorded,)))
    assert cells(alone) == [[""], ["7"], [""], [""], [""], [""]]
    assert ">as shipped</span>" in alone
    older = dataclasses.replace(trial, measurements={"shipped": Measured(9.0)})
    held_html = view.html(fixture.of_trials((older,)))
    assert cells(held_html)[:2] == [["4"], ["4"]]
    assert ">as held while training</span>" in held_html
    data = view.data(fixture.of_trials((older, recorded)))
    assert data["shipped"] == {"1": [[1, "lora", "mlp.up", 7]]}
    assert data["states"] == {"0": "as held while training", "1": "as shipped"}


def test_small_maps_follow_the_front_and_say_what_they_show(view: View) -> None:
    results = fixture.make()
    html = view.html(results)
    numbers = [int(n) for n in re.findall(r'<figure data-trial="(\d+)">', html)]
    assert len(numbers) == 12
    assert (numbers[0], numbers[-1]) == (results.front[0], results.front[-1])
    assert html.count('role="img" aria-label="Trial ') == 12
