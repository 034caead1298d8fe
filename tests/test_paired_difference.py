"""The difference of two trials: surer where both were scored on the same rows."""

from __future__ import annotations

import dataclasses
import math

import pytest

from autopeft.cli.verdict import against_defaults
from autopeft.paired_difference import difference
from autopeft.types import BASELINE, Measured, Results, TrialRecord
from tests import results_fixture as fixture


def trial(number: int, accuracy: Measured, share: float, origin: str = "model") -> TrialRecord:
    placements = fixture.lora(range(1), ("attention.query",), (1,))
    placed = fixture.measured_trial(number, placements, origin)
    costs = {"trainable_parameters": Measured(share), "peak_memory": Measured(1e9)}
    objectives = {"accuracy": accuracy, **costs}
    measurements = {**placed.measurements, "trainable": Measured(share)}
    return dataclasses.replace(placed, objectives=objectives, measurements=measurements)


def study(shared: float | None = None) -> Results:
    default = trial(1, Measured(88.0, 4.0), 2.0, f"{BASELINE}LoRA r=8 on q,v")
    found = fixture.of_trials((trial(0, Measured(90.0, 3.0), 1.0), default))
    info = {"paired": {"trials": [0, 1], "correlation": [[1.0, shared], [shared, 1.0]]}}
    known = {**found.info, **(info if shared is not None else {})}
    return dataclasses.replace(found, info=known, front=(0,))


def gap(results: Results, objective: int = 0) -> Measured:
    return difference(results, *results.trials, results.objectives[objective])


def test_without_common_rows_the_errors_are_independent() -> None:
    assert gap(study()) == Measured(2.0, 5.0)


def test_what_both_errors_share_is_left_out() -> None:
    assert gap(study(0.9)).error == pytest.approx(math.sqrt(25 - 2 * 0.9 * 12))


def test_the_same_trial_twice_differs_by_exactly_nothing() -> None:
    results = study(1.0)
    first = results.trials[0]
    assert difference(results, first, first, results.objectives[0]) == Measured(0.0, 0.0)


def test_an_exact_cost_is_not_paired() -> None:
    assert gap(study(0.9), 1) == Measured(-1.0, 0.0)


def test_a_trial_without_a_value_has_no_difference() -> None:
    results = study(0.9)
    empty = dataclasses.replace(results.trials[1], objectives={})
    assert math.isnan(difference(results, results.trials[0], empty, results.objectives[0]).value)


def test_the_verdict_on_a_default_pairs_too() -> None:
    (alone,), (paired,) = against_defaults(study()), against_defaults(study(1.0))
    assert "better by 2 \N{PLUS-MINUS SIGN} 5 points, within one standard error" in alone
    assert "better by 2.0 \N{PLUS-MINUS SIGN} 1.0 points; 2.0 times fewer" in paired
