"""Pages of awkward studies in a browser: each is drawn without a complaint, and says what is so."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autopeft import catalog, report
from autopeft.confirmation.front_probability import annotated
from autopeft.types import Measured, Results, TrialRecord
from tests import results_fixture as fixture
from tests.end_to_end.conftest import Opened, open_page

MANY, KINDS = 10_000, 300


def nothing() -> Results:
    return fixture.of_trials(())


def only_failures() -> Results:
    return fixture.of_trials((fixture.failed_trial(0),))


def one_trial() -> Results:
    return fixture.of_trials(fixture.trials()[:1])


def all_over_the_limit() -> Results:
    return fixture.of_trials(
        tuple(dataclasses.replace(t, feasible=False) for t in fixture.trials()[:12])
    )


def one_objective() -> Results:
    made = fixture.make()
    return dataclasses.replace(made, objectives=made.objectives[:1], front=made.front[-1:])


def not_a_number() -> Results:
    trials = fixture.trials()[:12]
    nan = {**trials[5].objectives, "accuracy": Measured(math.nan, math.nan)}
    return fixture.of_trials((*trials[:5], dataclasses.replace(trials[5], objectives=nan)))


def very_many() -> Results:
    made = fixture.trials()[:3] + tuple(
        fixture.measured_trial(n, fixture.searched_placements(n), "gp") for n in range(3, KINDS)
    )
    return fixture.of_trials(tuple(another(made[n % KINDS], n) for n in range(MANY)))


def another(trial: TrialRecord, number: int) -> TrialRecord:
    """The trial again with a score of its own; the defaults once only."""
    score = trial.objectives["accuracy"]
    drawn = Measured(score.value - random.Random(number).random(), score.error)
    origin = trial.origin if number < KINDS else "gp"
    objectives = {**trial.objectives, "accuracy": drawn}
    return dataclasses.replace(trial, number=number, origin=origin, objectives=objectives)


AWKWARD: dict[Callable[[], Results], str] = {
    nothing: "No trial has finished yet.",
    only_failures: "1 failed",
    one_trial: "One trial is on the front",
    all_over_the_limit: "No finished trial is within the limits.",
    one_objective: "The front needs two objectives; this study has one.",
    not_a_number: "accuracy",
    very_many: "of 10,000 finished trials are drawn",
}


def shown(chromium: Any, folder: Path, studies: Results | list[Results]) -> Opened:
    page = report.render(studies, catalog.views.all(), plotly="directory")
    return open_page(chromium, report.write(page, folder / "page.html", plotly="directory"))


@pytest.mark.parametrize("make", AWKWARD, ids=lambda make: make.__name__)
def test_an_awkward_study_reads_well(
    chromium: Any, tmp_path: Path, make: Callable[[], Results]
) -> None:
    opened = shown(chromium, tmp_path, annotated(make()))
    assert AWKWARD[make] in opened.text("main")
    assert "NaN" not in opened.page.locator("#trials, .cards").all_inner_texts()
    assert opened.complaints == []
    assert opened.page.locator(".undrawn").count() == 0
    opened.page.context.close()


def test_several_studies_are_selected_together(chromium: Any, tmp_path: Path) -> None:
    studies = [
        annotated(
            dataclasses.replace(fixture.of_trials(fixture.trials()[:n]), study=f"{n}.journal")
        )
        for n in (20, 30)
    ]
    opened = shown(chromium, tmp_path, studies)
    row = opened.page.locator('#trials tr[data-trial^="1-"]').first
    key = row.get_attribute("data-trial")
    row.click()
    opened.until(
        "document.getElementById('front-figure').data.find(t => t.meta === 'selection').x.length"
    )
    assert opened.selected() == key
    assert opened.text("#configuration-name") == f"#{key}"
    row.focus()
    opened.page.keyboard.press("Enter")
    opened.until("document.getElementById('status').textContent !== ''")
    assert opened.copied().startswith("autopeft export 30.journal ")
    assert opened.complaints == []
    opened.page.context.close()


def test_a_watched_page_loads_itself_again_and_keeps_the_selection(
    chromium: Any, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    views = catalog.views.all()
    made = annotated(fixture.make())
    report.write(
        report.render(made, views, plotly="directory", refresh=3), file, plotly="directory"
    )
    opened = open_page(chromium, file)
    opened.page.click("#trials tbody tr >> nth=1")
    after = dataclasses.replace(made, study="later.journal")
    report.write(report.render(after, views, plotly="directory"), file)
    opened.page.locator("h1", has_text="later.journal").wait_for()
    opened.page.wait_for_selector("html.drawn", state="attached")
    assert opened.selected() == str(made.front[1])
    assert opened.page.locator("#refresh").is_hidden()
    opened.page.context.close()
