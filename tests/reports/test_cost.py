"""Where the time and the memory went, and what failed."""

from __future__ import annotations

import dataclasses
import re

import pytest

from autopeft import catalog
from autopeft.types import View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("cost")


def rows(html: str) -> dict[str, list[str]]:
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html)
    return {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in found}


def test_nothing_was_spent_yet(view: View) -> None:
    running = dataclasses.replace(fixture.trials()[0], state="running")
    assert view.unavailable(fixture.of_trials((running,))) == "No trial has finished yet."


def test_every_stage_is_counted_and_summed(view: View) -> None:
    found = rows(view.html(fixture.make()))
    assert list(found) == ["defaults", "model", "initial", "all"]
    assert [found[name][0] for name in found] == ["3", "35", "1", "39"]
    assert found["model"][1] == "1"
    over = [t for t in fixture.make().trials if t.state != "running"]
    spent = sum(t.measurements["seconds"].value for t in over)
    assert found["all"][2] == f"{spent / 60:.2f} min"


def test_failures_are_listed_and_those_out_of_memory_counted(view: View) -> None:
    starved = dataclasses.replace(
        fixture.failed_trial(40), message="out of memory when trained alone: 24 GB"
    )
    html = view.html(fixture.of_trials((*fixture.trials(), starved)))
    assert "2 failed, 1 of them out of memory" in html
    assert "&lt;/script&gt;" in html


def test_a_study_of_failures_has_no_figure(view: View) -> None:
    failed = dataclasses.replace(fixture.failed_trial(0), measurements={})
    results = fixture.of_trials((failed,))
    assert view.data(results) == {}
    assert 'class="figure"' not in view.html(results)


def test_seconds_against_memory_select_their_trial(view: View) -> None:
    figure = view.data(fixture.make())["figures"]["cost-figure"][""]
    drawn = [n for trace in figure["data"] for n in trace.get("customdata", ())]
    assert sorted(drawn) == list(range(38))
