"""Three choices, and the truth about the defaults."""

from __future__ import annotations

import dataclasses
import re
from html import unescape

import pytest

from autopeft import catalog
from autopeft.types import Measured, ObjectiveInfo, Results, TrialRecord, View
from tests import results_fixture as fixture

GIGABYTE = 1e9


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("summary")


def trial(number: int, accuracy: float, share: float, origin: str = "model") -> TrialRecord:
    base = fixture.measured_trial(number, [], origin)
    objectives = {
        "accuracy": Measured(accuracy, 0.3),
        "trainable_parameters": Measured(share),
        "peak_memory": Measured(GIGABYTE),
    }
    return dataclasses.replace(base, objectives=objectives)


def text(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def card_trials(html: str) -> list[str]:
    return re.findall(r'<article class="card" data-trial="(\d+)"', html)


def test_nothing_finished() -> None:
    view = catalog.views.load("summary")
    assert view.unavailable(fixture.of_trials(())) == "No trial has finished yet."
    only_failed = fixture.of_trials((fixture.failed_trial(0),))
    assert view.unavailable(only_failed) == "No trial has finished yet."


def test_the_cards_are_the_best_the_knee_and_the_smallest_near_the_best(view: View) -> None:
    points = [(90, 1.0), (89.8, 0.4), (88.5, 0.1), (70, 0.05)]
    results = fixture.of_trials(tuple(trial(i, *point) for i, point in enumerate(points)))
    html = view.html(results)
    assert card_trials(html) == ["0", "2", "1"]
    assert "Smallest within one standard error of the best" in html
    assert "90.0 ± 0.3 %" in html


def test_one_trial_stands_on_one_card(view: View) -> None:
    assert card_trials(view.html(fixture.of_trials((trial(7, 88, 0.1),)))) == ["7"]


def test_a_study_with_all_over_the_limit_has_no_card(view: View) -> None:
    over = dataclasses.replace(trial(0, 88, 9), feasible=False)
    html = view.html(fixture.of_trials((over,)))
    assert card_trials(html) == []
    assert "No finished trial is within the limits." in html


def test_one_minimised_objective(view: View) -> None:
    worse, better = (
        dataclasses.replace(trial(n, 0, 0), objectives={"loss": Measured(3.0 - n)}) for n in (0, 1)
    )
    loss = (ObjectiveInfo("loss", "loss", "", "minimize"),)
    found = dataclasses.replace(fixture.of_trials(()), trials=(worse, better))
    results = dataclasses.replace(found, objectives=loss, front=(1,))
    html = view.html(results)
    assert "Best loss" in html
    assert card_trials(html) == ["1"]


def test_a_card_has_its_numbers_and_its_command(view: View) -> None:
    found = text(view.html(fixture.make()))
    assert "autopeft export 'studies/" in found
    assert "82,944, and 1,538 in the head" in found
    assert "active layers3/6" in found
    assert "1.1333 ± 0.0020 GB" in found


def test_memory_comes_from_the_measurements_when_it_is_no_objective(view: View) -> None:
    results = fixture.make()
    html = view.html(dataclasses.replace(results, objectives=results.objectives[:2]))
    assert "1.13 GB measured" in html


def test_counts_alerts_and_the_meaning_of_the_error(view: View) -> None:
    found = text(view.html(fixture.make()))
    assert "38 done, 18 of them on the front, 2 over the limit; 1 failed; 1 running" in found
    assert "The front still grew in the last 10 trials" in found
    assert "one standard error of accuracy over 408 validation rows and 3 seeds" in found


def test_a_study_that_recorded_little_still_has_a_summary(view: View) -> None:
    bare = dataclasses.replace(trial(0, 88, 0.1), provenance={}, measurements={})
    results = dataclasses.replace(fixture.of_trials((bare,)), info={})
    found = text(view.html(results))
    assert "one standard error of accuracy; a value without it is exact or predicted. A" in found
    assert "No default was trained" in found


def against(*records: TrialRecord) -> str:
    results: Results = fixture.of_trials(records)
    return text(catalog.views.load("summary").html(results)).partition("Against the defaults")[2]


def test_a_default_that_is_dominated_is_beaten() -> None:
    found = against(trial(0, 88.0, 0.3, "baseline: LoRA r=8"), trial(1, 89.0, 0.1))
    assert "Beaten: LoRA r=8 (#0). Trial #1 is 1.0 ± 0.4 points better in accuracy, with" in found
    assert "0.100 % instead of 0.300 % trainable parameters" in found


def test_a_gain_that_may_be_chance_beats_nothing() -> None:
    found = against(trial(0, 88.0, 0.3, "baseline: LoRA"), trial(1, 88.1, 0.1))
    assert "Matched for less: LoRA (#0). Trial #1 is 0.1 ± 0.4 points better in" in found
    assert "accuracy (may be chance), with 0.100 % instead" in found


def test_a_default_that_is_equalled_is_said_to_be() -> None:
    found = against(trial(0, 88.0, 0.3, "baseline: LoRA"), trial(1, 88.0, 0.3))
    assert "Matched: LoRA (#0). Trial #1 is as good." in found


def test_of_several_at_the_same_cost_the_best_is_held_against_a_default() -> None:
    found = against(trial(0, 88.0, 0.3, "baseline: LoRA"), trial(1, 88.5, 0.3), trial(2, 91.0, 0.3))
    assert "Beaten: LoRA (#0). Trial #2 is 3.0 ± 0.4 points better" in found


def test_a_default_on_the_front_is_plainly_not_beaten() -> None:
    found = against(trial(0, 90.0, 0.3, "baseline: LoRA"), trial(1, 89.0, 0.1), trial(2, 70, 0.01))
    assert "Not beaten: no searched trial is at least as good as LoRA (#0) on every" in found
    assert "The nearest, #1, is 1.0 ± 0.4 points worse in accuracy, with 0.100 % instead" in found


def test_a_trial_over_the_limit_beats_nothing() -> None:
    over = dataclasses.replace(trial(1, 99.0, 0.1), feasible=False)
    found = against(trial(0, 88.0, 0.3, "baseline: LoRA"), over)
    assert "no searched trial has finished within the limits yet" in found


def test_a_default_that_failed_says_so() -> None:
    failed = dataclasses.replace(fixture.failed_trial(0), origin="baseline: LoRA")
    found = against(failed, trial(1, 89, 0.1))
    assert "LoRA (#0) has no result. The loss became NaN at step 40" in found


def test_the_decision_is_one_sentence_with_its_gain(view: View) -> None:
    points = (trial(0, 88.0, 0.3, "baseline: LoRA"), trial(1, 90.0, 0.4), trial(2, 89.3, 0.1))
    found = text(view.html(fixture.of_trials(points)))
    assert "take #1, the best: 90.0 ± 0.3 % accuracy, 0.400 % trainable parameters" in found
    assert "Against the best default, LoRA (#0), it is 2.0 ± 0.4 points better" in found


def test_what_is_within_one_standard_error_is_taken_smaller(view: View) -> None:
    points = (trial(0, 90.0, 0.4), trial(1, 89.75, 0.1), trial(2, 89.5, 0.05))
    found = text(view.html(fixture.of_trials(points)))
    assert "In short: take #1, the smallest within one standard error of the best: 89.8" in found
    assert "1 --to train -o train-1 && python train-1/train.py" in found


def test_a_score_from_elsewhere_stands_beside_the_defaults(view: View) -> None:
    given = [{"name": "full <fine-tuning>", "value": 92.0, "error": 0.4}]
    made = fixture.of_trials((trial(0, 88.0, 0.3, "baseline: LoRA"), trial(1, 90.0, 0.4)))
    results = dataclasses.replace(made, info={**made.info, "yardsticks": given})
    html = view.html(results)
    assert "full &lt;fine-tuning&gt;" in html
    assert "Given, not run here: full <fine-tuning>, 92.0 ± 0.4 %. Trial #1 is 2.0 ± 0.5" in text(
        html
    )


def test_no_gain_over_the_head_alone_is_said_plainly(view: View) -> None:
    head = trial(0, 88.0, 0.0, "baseline: head only")
    assert not head.configuration.placements
    placed = dataclasses.replace(
        trial(1, 88.5, 0.1), configuration=fixture.make().trial(21).configuration
    )
    chance, beyond = (
        text(view.html(fixture.of_trials((head, dataclasses.replace(placed, objectives=o)))))
        for o in (placed.objectives, {**placed.objectives, "accuracy": Measured(95.0, 0.3)})
    )
    assert "No trial is better than training the head alone (#0) by more than chance" in chance
    assert "training the head alone" not in beyond


def test_a_difference_that_rounds_to_nothing_is_as_good() -> None:
    objectives = {"accuracy": Measured(88.1, 4.0)}
    left, right = trial(0, 88.0, 0.3, "baseline: LoRA"), trial(1, 88.1, 0.1)
    wide = [
        dataclasses.replace(t, objectives=t.objectives | {"accuracy": Measured(v, 4.0)})
        for t, v in ((left, 88.0), (right, objectives["accuracy"].value))
    ]
    assert "Trial #1 is as good in accuracy (± 6 points), with 0.100 %" in against(*wide)
