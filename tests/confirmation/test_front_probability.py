"""P(on the front): certain where nothing is near, even where two are equal, and honest on how."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from autopeft.confirmation.front_probability import MOST, annotated, estimate
from autopeft.types import Measured, Results, TrialRecord
from tests import results_fixture as fixture


def trial(number: int, accuracy: Measured, share: float) -> TrialRecord:
    objectives = {
        "accuracy": accuracy,
        "trainable_parameters": Measured(share),
        "peak_memory": Measured(1e9),
    }
    return dataclasses.replace(
        fixture.measured_trial(number, [], "model"), objectives=objectives, provenance={}
    )


def study(*trials: TrialRecord, **info: object) -> Results:
    return fixture.of_trials(trials, **info)


def test_a_clear_winner_is_certain_and_what_it_beats_has_no_chance() -> None:
    found = estimate(study(trial(0, Measured(90, 0.5), 1.0), trial(1, Measured(80, 0.5), 2.0)))
    assert found.trials == {0: 1.0}


def test_the_cheapest_is_always_on_the_front() -> None:
    found = estimate(study(trial(0, Measured(70, 5), 0.1), trial(1, Measured(90, 5), 2.0)))
    assert found.trials[0] == 1.0


def test_a_tie_with_a_smaller_one_is_a_coin_flip() -> None:
    found = estimate(study(trial(0, Measured(90, 1), 1.0), trial(1, Measured(90, 1), 2.0)))
    assert found.trials[0] == 1.0
    assert found.trials[1] == pytest.approx(0.5, abs=0.07)


def test_one_standard_error_of_the_difference_behind_is_the_normal_tail() -> None:
    behind = 90 - math.hypot(1, 1)
    found = estimate(study(trial(0, Measured(90, 1), 1.0), trial(1, Measured(behind, 1), 2.0)))
    assert found.trials[1] == pytest.approx(0.159, abs=0.05)


def test_pairing_tells_apart_what_independent_errors_do_not() -> None:
    rows = 400
    labels = [0] * rows
    wrong = {0: range(100), 1: range(102)}
    trials = []
    for number, share in ((0, 1.0), (1, 2.0)):
        predictions = [int(i in wrong[number]) for i in range(rows)]
        score = 1 - len(wrong[number]) / rows
        error = (score * (1 - score) / rows) ** 0.5
        trials.append(
            dataclasses.replace(
                trial(number, Measured(100 * score, 100 * error), share),
                measurements={"score": Measured(score, error)},
                provenance={
                    "seeds": [0],
                    "predictions": predictions,
                    "curve": [{"step": 1, "score": score}],
                },
            )
        )
    apart = estimate(study(*trials)).trials[1]
    paired = estimate(study(*trials, validation_labels=labels))
    # The second is better on no row, so in no draw, and it is larger.
    assert paired.trials[1] == 0.0
    assert apart > 0.3
    assert "400 validation rows, the same for all trials" in paired.how


def test_without_labels_it_says_so() -> None:
    assert "independent normal errors" in estimate(fixture.make()).how


def test_awkward_studies() -> None:
    assert estimate(study()).trials == {}
    infeasible = dataclasses.replace(trial(0, Measured(90, 1), 1.0), feasible=False)
    assert estimate(study(infeasible)).trials == {}
    nan = trial(1, Measured(math.nan, math.nan), 1.0)
    assert estimate(study(trial(0, Measured(90, 1), 1.0), nan)).trials == {0: 1.0}
    assert estimate(study(trial(0, Measured(90, math.inf), 1.0))).trials == {0: 1.0}


def test_one_objective() -> None:
    results = study(trial(0, Measured(90, 1), 1.0), trial(1, Measured(90, 1), 2.0))
    alone = dataclasses.replace(results, objectives=results.objectives[:1])
    shares = estimate(alone).trials
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-6)


def test_an_unknown_task_is_no_failure() -> None:
    assert estimate(dataclasses.replace(fixture.make(), info={"task": "knitting"})).trials


def test_many_trials_are_cut_to_the_nearest() -> None:
    draw = np.random.default_rng(0)
    many = (trial(n, Measured(float(draw.normal(90, 1)), 5.0), n + 1.0) for n in range(3 * MOST))
    assert len(estimate(study(*many)).trials) == MOST


def test_the_facts_are_plain_data_and_the_same_every_time() -> None:
    first, second = (json.dumps(annotated(fixture.make()).info) for _ in range(2))
    assert first == second
