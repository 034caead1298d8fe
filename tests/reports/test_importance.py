"""The dimension that decides comes first; the sites are shown as they were scored."""

from __future__ import annotations

import dataclasses
import re

import pytest

from autopeft import catalog
from autopeft.study import dimension_importance
from autopeft.types import Measured, TrialRecord, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("importance")


def trials(count: int) -> tuple[TrialRecord, ...]:
    """The accuracy follows `decides` alone."""
    made = []
    for n in range(count):
        trial = fixture.measured_trial(n, [], "model")
        point = {"decides": (n * 7) % 10, "idle": n % 3, "word": "ab"[n % 2], "same": 1}
        objectives = {**trial.objectives, "accuracy": Measured(80 + (n * 7) % 10)}
        made.append(dataclasses.replace(trial, point=point, objectives=objectives))
    return tuple(made)


def test_the_dimension_that_decides_comes_first() -> None:
    found = dimension_importance.importances(trials(60), fixture.OBJECTIVES[0])
    assert next(iter(found)) == "decides"
    assert found["decides"] > 0.7
    assert set(found) == {"decides", "idle", "word"}
    assert sum(found.values()) == pytest.approx(1.0)


def test_below_twenty_trials_only_the_sites_are_shown(view: View) -> None:
    few = fixture.of_trials(trials(19))
    assert view.unavailable(few) == ""
    html = view.html(few)
    assert "19 trials of the space have finished" in html
    assert "Sites by spt" in html
    assert view.data(few) == {}
    bare = fixture.of_trials(trials(19), importance={})
    assert "ranked from 20 on" in view.unavailable(bare)


def test_there_is_a_figure_per_objective(view: View) -> None:
    data = view.data(fixture.of_trials(trials(40)))
    figures = data["figures"]["importance-figure"]
    assert list(figures) == [o.name for o in fixture.OBJECTIVES]
    assert figures["accuracy"]["data"][0]["y"][-1] == "decides"


def test_nothing_varies(view: View) -> None:
    same = tuple(dataclasses.replace(t, point={"one": 1}) for t in trials(30))
    assert "nothing varies" in view.html(fixture.of_trials(same))


def test_sites_are_shares_of_the_largest(view: View) -> None:
    html = view.html(fixture.make())
    table = re.search(r'aria-label="Sites by spt".*?</table>', html)
    assert table is not None
    shares = [int(n) for n in re.findall(r'<td class="s\d+">(\d+)</td>', table[0])]
    assert max(shares) == 100
    assert len(shares) == 36
