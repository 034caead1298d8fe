"""Stopping at a rung: calibrated on the study itself, never of what could end on the front."""

from __future__ import annotations

import random

import pytest

from autopeft.rungs.forecast import LEAST_TRIALS, Early
from autopeft.rungs.promotion import (
    Finished,
    Outlook,
    early,
    finished,
    outlook,
    replay,
)
from autopeft.types import Configuration, Measured, TrialRecord


def trial(number: int, score: float, final: float, cost: float, *, error: float = 0.5) -> Finished:
    return Finished(number, Early(30, score, 1 - score), Measured(final, error), (cost,))


def telling(count: int, *, noise: float = 0.0, seed: int = 0) -> list[Finished]:
    """Trials whose score at the rung foretells the end, all of one price."""
    draw = random.Random(seed)
    scores = [0.3 + 0.5 * k / count for k in range(count)]
    return [
        trial(k, score, 100 * score + draw.gauss(0, noise), cost=10.0)
        for k, score in enumerate(scores)
    ]


def test_what_is_surely_beaten_by_something_no_dearer_is_hopeless() -> None:
    found = outlook(Early(30, 0.3, 0.7), (10.0,), telling(20))
    assert found is not None
    assert found.hopeless
    assert found.rival == 19
    assert found.final.value == pytest.approx(30.0, abs=0.5)
    assert found.words == "under 1 % chance to end above trial 19, which costs no more; 7% before"


def test_what_costs_less_than_all_others_is_never_stopped() -> None:
    found = outlook(Early(30, 0.01, 0.99), (9.9,), telling(20))
    assert found is not None
    assert (found.chance, found.rival) == (1.0, None)
    assert not found.hopeless


def test_what_had_no_chance_before_has_none_to_lose() -> None:
    found = Outlook(Measured(1.0, 0.1), 0.0, 0.0, 3)
    assert found.left == 1.0
    assert not found.hopeless


def test_the_best_so_far_goes_on() -> None:
    found = outlook(Early(30, 0.9, 0.1), (10.0,), telling(20))
    assert found is not None
    assert found.chance > 0.9


def test_a_rung_that_foretells_nothing_stops_nothing() -> None:
    """Though the best of 40 is beyond what most of them could reach."""
    draw = random.Random(3)
    trials = [
        Finished(k, Early(30, draw.random(), draw.random()), Measured(draw.gauss(50, 5), 2), (1,))
        for k in range(40)
    ]
    judged = [outlook(Early(30, 0.1 * k, 0.5), (1.0,), trials) for k in range(11)]
    assert not any(one.hopeless for one in judged if one is not None)


def test_nothing_is_said_of_too_few() -> None:
    early = Early(30, 0.0, 9.0)
    assert outlook(early, (10.0,), telling(LEAST_TRIALS - 1)) is None
    assert outlook(early, (10.0,), telling(LEAST_TRIALS)) is not None


def test_equal_trials_do_not_feign_certainty() -> None:
    same = [trial(k, 0.5, 50.0, 1.0, error=2.5) for k in range(10)]
    found = outlook(Early(30, 0.5, 0.5), (1.0,), same)
    assert found is not None
    assert found.final.error > 2.5
    assert found.chance == pytest.approx(0.5)
    assert found.rival == 0, "the earliest of equals"


def test_the_rule_is_replayed_on_what_was_trained_to_the_end() -> None:
    trials = telling(30, noise=1.0)
    stopped = replay(trials)
    assert 5 < len(stopped) < 30
    assert max(trials, key=lambda t: t.final.value) not in stopped
    assert replay(trials[:LEAST_TRIALS]) == []


def record(number: int, state: str = "complete", steps: tuple[int, ...] = (30, 60)) -> TrialRecord:
    curve = [{"step": s, "score": 0.5, "train_loss": 1.0} for s in steps]
    return TrialRecord(
        number=number,
        state=state,  # type: ignore[arg-type]
        origin="model",
        configuration=Configuration((), 1e-3),
        objectives={"loss": Measured(0.7, 0.1), "speed": Measured(3.0)},
        feasible=number != 5,
        point={},
        measurements={},
        provenance={"curve": curve},
    )


def test_only_what_reached_the_end_by_that_rung_teaches() -> None:
    trials = [
        record(0),
        record(1, "stopped", (30,)),
        record(2, "failed"),
        record(3, steps=(20, 60)),
        record(4, steps=(60,)),
        record(5),
    ]
    found = finished(
        trials,
        30,
        directions=("minimize", "maximize"),
        costs=lambda t: [t.objectives["speed"].value],
    )
    assert found == [Finished(0, Early(30, 0.5, 1.0), Measured(-0.7, 0.1), (-3.0,))]
    assert early(trials[0].provenance["curve"][0]) == found[0].early
