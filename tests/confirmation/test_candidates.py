"""Which trials are confirmed, and which of them first."""

from __future__ import annotations

from dataclasses import replace

from autopeft.confirmation.candidates import candidates, foremost
from autopeft.types import Measured, Results, TrialRecord
from tests import results_fixture as fixture


def trial(number: int, accuracy: float, share: float, *, default: str = "") -> TrialRecord:
    objectives = {
        "accuracy": Measured(accuracy, 1.0),
        "trainable_parameters": Measured(share),
        "peak_memory": Measured(1e9),
    }
    plain = fixture.measured_trial(number, [], f"baseline: {default}" if default else "model")
    return replace(plain, objectives=objectives, provenance={})


def study() -> Results:
    """Trials 0 and 1 are defaults far behind; 2, 3, 4, 6 are the front; 5 ties with 4."""
    return fixture.of_trials(
        (
            trial(0, 60.0, 5.0, default="LoRA r=8 on q,v"),
            trial(1, 70.0, 6.0, default="serial adapter m=24"),
            trial(2, 50.0, 0.1),
            trial(3, 80.0, 0.2),
            trial(4, 90.0, 0.4),
            trial(5, 89.9, 0.5),
            trial(6, 90.1, 0.6),
        )
    )


def test_candidates_are_the_front_the_defaults_and_what_ties() -> None:
    assert study().front == (2, 3, 4, 6)
    assert candidates(study()) == [0, 1, 2, 3, 4, 5, 6]
    behind = study()
    worse = replace(behind.trials[5], objectives=trial(5, 60.0, 0.5).objectives)
    found = fixture.of_trials((*behind.trials[:5], worse, behind.trials[6]))
    assert candidates(found) == [0, 1, 2, 3, 4, 6]


def test_what_is_recommended_meets_the_defaults_first() -> None:
    assert foremost(study(), most=1) == [4]
    assert foremost(study(), most=2) == [0, 4]
    assert foremost(study(), most=3) == [0, 1, 4]
    assert foremost(study(), most=4) == [0, 1, 4, 6]


def test_the_front_comes_before_what_only_ties() -> None:
    assert foremost(study(), most=6) == [0, 1, 2, 3, 4, 6]
    assert foremost(study(), most=99) == candidates(study())


def test_without_defaults_the_front_is_left() -> None:
    alone = fixture.of_trials((trial(0, 50.0, 0.1), trial(1, 60.0, 0.2)))
    assert foremost(alone, most=6) == [0, 1]
