"""Several studies side by side: names, the joint front, attainment over seeds, what differs."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import pytest

from autopeft import catalog, report
from autopeft.errors import UsageError
from autopeft.study import results
from autopeft.types import Measured, Results, TrialRecord
from tests import results_fixture as fixture

overlay: Any = importlib.import_module("autopeft.reports._overlay")
several: Any = importlib.import_module("autopeft.reports._studies")


def trial(number: int, *values: float) -> TrialRecord:
    names = [objective.name for objective in fixture.OBJECTIVES]
    objectives = {n: Measured(v) for n, v in zip(names, values, strict=True)}
    return dataclasses.replace(fixture.measured_trial(number, [], "gp"), objectives=objectives)


def study(seed: int, *points: tuple[float, float], **info: Any) -> Results:
    trials = tuple(trial(n, accuracy, share, 1e9) for n, (accuracy, share) in enumerate(points))
    settings = {"sampler": "gp", "seed": seed}
    made = fixture.of_trials(trials, **({"settings": settings} | info))
    return dataclasses.replace(made, study=f"runs/seed-{seed}.journal")


@pytest.fixture(scope="module")
def studies() -> list[Results]:
    return [study(0, (80, 1), (90, 3)), study(1, (82, 1), (88, 2)), study(2, (70, 1), (95, 3))]


def test_attainment_by_hand() -> None:
    curves = [[(1, 80), (3, 90)], [(1, 82), (2, 88)], [(2, 70), (3, 95)]]
    costs = [1, 2, 3]
    assert overlay.attained(curves, costs, 3) == [None, 70, 88]
    assert overlay.attained(curves, costs, 2) == [80, 80, 90]
    assert overlay.attained(curves, costs, 1) == [82, 88, 95]


def test_only_studies_that_differ_in_their_seed_are_repeats(studies: list[Results]) -> None:
    other = study(3, (80, 1), settings={"sampler": "random", "seed": 3})
    assert several.repeats([*studies, other]) == [[0, 1, 2]]
    assert several.repeats([studies[0], other]) == []


def test_names_colours_and_keys() -> None:
    assert several.letter(0) == "A"
    assert several.letter(26) == "AA"
    assert several.name(1, study(7)) == "B seed-7"
    styles = [tuple(several.line_style(i).values()) for i in range(20)]
    assert len(set(styles)) == 20


def test_the_joint_front_is_beaten_by_no_study(studies: list[Results]) -> None:
    assert several.joint_front(studies) == {"1-0", "1-1", "2-1"}


def test_the_page_holds_all_studies_with_closed_elements(studies: list[Results]) -> None:
    from tests.test_report import Outline, page_data

    page = report.render(studies, catalog.views.all())
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert "A seed-0" in page
    assert "3 trials are beaten by no trial of any study" in page
    data = page_data(page)
    names = [
        t.get("name") for t in next(iter(data["front"]["figures"]["front-figure"].values()))["data"]
    ]
    assert "half of A, B, C attain" in names
    assert page == report.render(studies, catalog.views.all())


def test_what_differs_and_what_must_not(studies: list[Results]) -> None:
    assert several.incomparable(studies) == []
    assert several.differing(studies) == {"--seed": [0, 1, 2]}
    other = study(1, (80, 1), dataset="another.csv")
    assert several.incomparable([studies[0], other]) == ["dataset"]
    page = report.render([studies[0], other], catalog.views.all())
    assert "their scores are not one scale" in page


def test_a_study_without_a_result_is_one_row(studies: list[Results]) -> None:
    page = report.render([studies[0], study(5)], catalog.views.all())
    assert "B seed-5" in page
    empty = report.render([study(4), study(5)], catalog.views.all())
    assert "No trial has finished yet." in empty


def test_studies_are_reduced_to_what_they_share(studies: list[Results]) -> None:
    narrow = dataclasses.replace(studies[1], objectives=fixture.OBJECTIVES[:2])
    made = results.comparable([studies[0], narrow])
    assert [len(r.objectives) for r in made] == [2, 2]
    one = dataclasses.replace(studies[1], objectives=fixture.OBJECTIVES[:1])
    with pytest.raises(UsageError, match="fewer than two objectives in common"):
        results.comparable([studies[0], one])
