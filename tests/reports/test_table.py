"""The table reads without JavaScript, and its configurations are what ran."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from autopeft import catalog, digest
from autopeft.types import Configuration, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("table")


@pytest.fixture(scope="module")
def html(view: View) -> str:
    return view.html(fixture.make())


def unpacked(data: dict[str, Any], number: int) -> Configuration:
    packed = data["configurations"][str(number)]
    placements = [
        {
            "site": data["sites"][i],
            "module": group["module"],
            "settings": json.loads(group["settings"]),
        }
        for group in packed["groups"]
        for i in group["sites"]
    ]
    rate = json.loads(packed["learning_rate"])
    return Configuration.from_json({"placements": placements, "learning_rate": rate})


ROW = r'<tr data-trial="(\d+)"( class="other")? tabindex="-1">'


def test_the_front_stands_in_the_page_and_the_rest_in_its_data(view: View, html: str) -> None:
    results = fixture.make()
    front = re.findall(ROW, html)
    assert tuple(int(number) for number, other in front if not other) == results.front
    others = re.findall(ROW, view.data(results)["others"])
    assert all(other for _, other in others)
    assert sorted(int(number) for number, _ in [*front, *others]) == list(range(38))


def test_without_a_front_every_row_stands_in_the_page(view: View) -> None:
    trials = tuple(dataclasses.replace(t, feasible=False) for t in fixture.trials()[:5])
    results = fixture.of_trials(trials)
    assert [number for number, other in re.findall(ROW, view.html(results)) if not other] == [
        *"01234"
    ]
    assert view.data(results)["others"] == ""
    assert 'id="table-all"' not in view.html(results)


def test_a_row_says_everything_in_words(html: str) -> None:
    row = re.search(r'<tr data-trial="21".*?</tr>', html)
    assert row is not None
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row[0])
    assert cells == [
        "#21",
        "88.4 ± 0.3 %",
        "0.180 %",
        "891.6 ± 2.0 MB",
        "\N{EN DASH}",
        "lora 1-4, serial_adapter 6",
        "2/6",
        "0.001",
        "3",
        "front",
        "model",
    ]


def test_every_row_has_a_cell_for_every_heading(html: str) -> None:
    heads = html.count('<th scope="col"')
    rows = re.findall(r"<tr data-trial.*?</tr>", html)
    assert {len(re.findall("<t[hd] ", row)) for row in rows} == {heads}


def test_numbers_sort_by_their_value(html: str) -> None:
    row = re.search(r'<tr data-trial="21".*?</tr>', html)
    assert row is not None
    keys = re.findall(r'data-sort="([^"]*)"', row[0])
    assert keys[0] == "21"
    assert float(keys[1]) == pytest.approx(88.4, abs=0.05)
    assert keys[5] == "2"


def test_failures_are_told_with_their_reason(html: str) -> None:
    assert "1 failed" in html
    assert "The loss became NaN at step 40 of &lt;/script&gt;" in html


def test_the_configurations_are_exactly_what_ran(view: View) -> None:
    results = fixture.make()
    data = json.loads(json.dumps(view.data(results)))
    assert len(data["configurations"]) == 38
    for number in map(int, data["configurations"]):
        assert digest.of_configuration(unpacked(data, number)) == results.trial(number).digest


def test_it_is_empty_without_a_finished_trial(view: View) -> None:
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."
