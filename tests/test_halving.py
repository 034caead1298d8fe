"""Halving over fronts: the whole front of what is expected goes on, and a share behind it."""

from __future__ import annotations

import random

import pytest

from autopeft import halving
from autopeft.forecast import Early
from autopeft.halving import Expected, behind, going
from autopeft.promotion import Finished, Reached
from autopeft.stopping import stops
from autopeft.types import Measured


def at(number: int, final: float, *costs: float, loss: float | None = None) -> Expected:
    """By its loss as good as by what is expected, unless it is given."""
    return Expected(number, final, -final if loss is None else loss, costs or (1.0,))


def drawn(count: int, seed: int = 0, *, costs: int = 1) -> list[Expected]:
    draw = random.Random(seed)
    return [at(k, draw.random(), *(draw.random() for _ in range(costs))) for k in range(count)]


def dominated(one: Expected, others: list[Expected]) -> bool:
    return any(
        other.final >= one.final
        and all(a <= b for a, b in zip(other.costs, one.costs, strict=True))
        for other in others
        if other is not one
    )


@pytest.mark.parametrize("costs", [1, 2])
def test_without_a_share_exactly_the_front_goes_on(costs: int) -> None:
    reached = drawn(60, costs=costs)
    front = {one.number for one in reached if not dominated(one, reached)}
    assert going(reached, 0.0) == front
    assert len(front) < 30


def test_a_share_is_filled_from_the_next_fronts_and_never_shrinks_the_first() -> None:
    reached = drawn(60)
    some, more, everything = (going(reached, share) for share in (0.0, 0.6, 1.0))
    assert some < more < everything == {one.number for one in reached}
    assert len(more) == 36


def test_a_cut_front_keeps_its_ends() -> None:
    worse = [at(10 + k, 0.1 + 0.1 * k, 1.0 + k) for k in range(5)]
    assert going([at(0, 0.9, 0.5), *worse], 0.5) == {0, 10, 14}


def test_the_cheapest_goes_on_and_of_equals_the_first() -> None:
    reached = [at(0, 0.0, 0.1), at(1, 0.9, 1.0), at(2, 0.9, 1.0), at(3, 0.5, 2.0)]
    assert behind(reached, [], 0.0).keys() == {2, 3}


def test_the_front_of_training_loss_goes_on_too() -> None:
    reached = [at(0, 0.9, loss=2.0), at(1, 0.5, loss=1.0), at(2, 0.6, loss=1.5)]
    assert going(reached, 0.0) == {0, 1}


def test_it_is_said_what_is_ahead() -> None:
    found = behind([at(4, 0.2)], [at(2, 0.5), at(3, 0.4), at(9, 1.0, 5.0)], 0.0)
    assert found == {4: "expected to end behind trial 2, at no higher cost"}


def test_the_decision_on_one_does_not_hang_on_the_order_of_the_others() -> None:
    reached = drawn(40)
    shuffled = random.Random(1).sample(reached, len(reached))
    assert going(reached, 0.5) == going(shuffled, 0.5)


def test_nothing_is_stopped_before_an_end_can_be_predicted() -> None:
    finished = [
        Finished(k, Early(9, 0.1 * k, 1 - 0.1 * k), Measured(10.0 * k, 1.0), (1.0,))
        for k in range(8)
    ]
    batch = [Reached(20, Early(9, 0.1, 0.9), (1.0,))]
    seen = [Reached(1, Early(9, 0.5, 0.2), (1.0,))]
    assert stops(batch, seen, finished[:7], share=0.0) == {}
    stop = stops(batch, seen, finished, share=0.0)[20]
    assert stop.final.value == pytest.approx(10.0, abs=2.0)
    assert stop.words == "expected to end behind trial 1, at no higher cost"
    assert stops(batch, seen, finished, share=None).keys() == {20}, "hopeless too"


def test_a_task_whose_loss_misleads_is_learned_from_its_trials() -> None:
    """What has the lowest loss early on ends worst here."""
    finished = [
        Finished(k, Early(9, 0.5, 1 - 0.1 * k), Measured(-10.0 * k, 1.0), (1.0,)) for k in range(10)
    ]
    early = {20: 0.2, 21: 0.1, 22: 0.8}
    batch = [Reached(number, Early(9, 0.5, loss), (1.0,)) for number, loss in early.items()]
    assert stops(batch, [], finished, share=0.0).keys() == {20}, "21 has the lowest loss"


def test_rungs_of_a_short_training_fall_on_whole_steps() -> None:
    assert halving.shares(60) == {9: 0.35, 24: 0.6}
    assert halving.shares(2) == {1: 0.6}
