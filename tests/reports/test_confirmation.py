"""What confirming a front found, in words and a table."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from autopeft import catalog
from autopeft.types import Results, View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("confirmation")


def confirmed(lower: float, chance: float) -> Results:
    """The fixture with every point of its front scored lower by so much."""
    plain = fixture.make()
    trials: dict[str, Any] = {
        str(n): {
            "score": [plain.trial(n).objectives["accuracy"].value - lower, 1.5],
            "seeds": 3,
            "chance": chance,
            "settled": chance > 0.95,
        }
        for n in plain.front
    }
    facts = {"rows": 500, "trials": trials}
    return fixture.of_trials(fixture.trials(), confirmation=facts)


def test_without_one_the_command_is_named(view: View) -> None:
    assert "autopeft confirm" in view.unavailable(fixture.make())
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."


def test_what_holds_and_what_was_flattered_is_said(view: View) -> None:
    results = confirmed(2.0, 0.97)
    assert view.unavailable(results) == ""
    html = view.html(results)
    count = len(results.front)
    assert f"{count} of {count} points of the front are more likely on it than not" in html
    assert "The search had scored them 2.0 points higher on average." in html
    assert html.count("settled") == count
    assert len(re.findall(r"<tr><th scope=\"row\">", html)) == count


def test_a_front_that_is_confirmed_in_part_is_called_so(view: View) -> None:
    results = confirmed(2.0, 0.97)
    count = len(results.front)
    del results.info["confirmation"]["trials"][str(results.front[0])]
    words = f"{count - 1} of {count - 1} confirmed ones of the {count} points of the front"
    assert words in view.html(results)


def test_a_front_that_does_not_hold_is_called_so(view: View) -> None:
    html = view.html(confirmed(-1.0, 0.2))
    assert html.startswith("<p><strong>0 of ")
    assert "1.0 points lower on average" in html
    assert "in doubt" in html


def test_a_trial_that_diverged_has_no_score(view: View) -> None:
    results = confirmed(0.0, 0.97)
    first = str(results.front[0])
    results.info["confirmation"]["trials"][first] |= {"score": None, "chance": 0.0}
    assert view.html(results).count("diverged") == 1


def test_the_recommended_trial_is_compared_with_each_default(view: View) -> None:
    results = confirmed(0.0, 0.97)
    default = next(t for t in results.trials if t.default)
    facts = {**results.info["confirmation"]}
    facts["against_defaults"] = {
        "trial": results.front[-1],
        "differences": {str(default.number): [2.0, 0.5]},
    }
    html = view.html(replace(results, info={**results.info, "confirmation": facts}))
    assert f"<li>Recommended trial {results.front[-1]} against" in html
    assert "better by 2.0" in html
