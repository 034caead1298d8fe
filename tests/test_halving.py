"""Halving over fronts: whole fronts go on, by training loss and by score, and a share behind."""

from __future__ import annotations

import random

import pytest

from autopeft import halving
from autopeft.halving import behind, going
from autopeft.promotion import Early, Finished, Reached
from autopeft.stopping import stops
from autopeft.types import Measured


def at(number: int, score: float, loss: float, *costs: float) -> Reached:
    return Reached(number, Early(9, score, loss), costs or (1.0,))


def drawn(count: int, seed: int = 0, *, costs: int = 1) -> list[Reached]:
    draw = random.Random(seed)
    return [
        at(k, draw.random(), draw.random(), *(draw.random() for _ in range(costs)))
        for k in range(count)
    ]


def dominated(one: Reached, others: list[Reached], order: str) -> bool:
    value = halving.ORDERS[order]
    return any(
        value(other.early) <= value(one.early)
        and all(a <= b for a, b in zip(other.costs, one.costs, strict=True))
        for other in others
        if other is not one
    )


@pytest.mark.parametrize("costs", [1, 2])
def test_without_a_share_exactly_the_two_fronts_go_on(costs: int) -> None:
    reached = drawn(60, costs=costs)
    fronts = {
        one.number
        for one in reached
        if not all(dominated(one, reached, order) for order in halving.ORDERS)
    }
    assert going(reached, 0.0) == fronts
    assert len(fronts) < 40


def test_a_share_is_filled_from_the_next_fronts_and_never_shrinks_the_first() -> None:
    reached = drawn(60)
    some, more, everything = (going(reached, share) for share in (0.0, 0.6, 2.0))
    assert some < more < everything == {one.number for one in reached}
    assert len(more) >= 0.3 * 60


def test_a_cut_front_keeps_its_ends() -> None:
    worse = [at(10 + k, 0.1 + 0.1 * k, 0.9 - 0.1 * k, 1.0 + k) for k in range(5)]
    kept = going([at(0, 0.9, 0.05, 0.5), *worse], 1.0)
    assert kept == {0, 10, 14}


def test_the_cheapest_goes_on_and_of_equals_the_first() -> None:
    reached = [at(0, 0.0, 9.0, 0.1), at(1, 0.9, 0.1, 1.0), at(2, 0.9, 0.1, 1.0), at(3, 0.5, 0.5)]
    assert behind(reached, [], 0.0).keys() == {2, 3}


def test_a_late_learner_with_a_good_score_goes_on_though_its_loss_is_high() -> None:
    assert behind([at(1, 0.8, 2.0)], [at(0, 0.5, 0.5)], 0.0) == {}


def test_it_is_said_what_is_ahead() -> None:
    found = behind([at(4, 0.2, 2.0)], [at(2, 0.5, 0.6), at(3, 0.4, 0.5), at(9, 1.0, 0.1, 5.0)], 0.0)
    assert found == {4: "behind trial 3 in training loss and trial 2 in score, at no higher cost"}


def test_the_decision_on_one_does_not_hang_on_the_order_of_the_others() -> None:
    reached = drawn(40)
    shuffled = random.Random(1).sample(reached, len(reached))
    assert going(reached, 0.5) == going(shuffled, 0.5)


def test_nothing_is_stopped_before_an_end_can_be_predicted() -> None:
    finished = [
        Finished(k, Early(9, 0.1 * k, 1 - 0.1 * k), Measured(10.0 * k, 1.0), (1.0,))
        for k in range(8)
    ]
    batch, seen = [at(20, 0.1, 0.9)], [at(1, 0.5, 0.2)]
    assert stops(batch, seen, finished[:7], share=0.0) == {}
    stop = stops(batch, seen, finished, share=0.0)[20]
    assert stop.final.value == pytest.approx(10.0, abs=1.0)
    assert stop.words.startswith("behind trial 1 in training loss")
    assert stops(batch, seen, finished, share=None).keys() == {20}, "hopeless too"


def test_rungs_of_a_short_training_fall_on_whole_steps() -> None:
    assert halving.shares(60) == {9: 0.25, 24: 0.05}
    assert halving.shares(2) == {1: 0.05}
