"""What stops at a rung, and what of it is worth training after all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autopeft.rungs.forecast import LEAST_TRIALS, Early
from autopeft.rungs.promotion import Finished, Reached
from autopeft.rungs.stopping import another_go, stops
from autopeft.types import Measured


def ended(number: int, score: float, final: float, cost: float = 1.0, step: int = 9) -> Finished:
    return Finished(number, Early(step, score, 1 - score), Measured(final, 0.5), (cost,))


def at(number: int, score: float, cost: float = 1.0, step: int = 9) -> Reached:
    return Reached(number, Early(step, score, 1 - score), (cost,))


def rising(count: int, *, sign: float = 1.0) -> list[Finished]:
    """The more at the rung, the more (or the less) at the end."""
    return [ended(k, 0.05 * k, sign * 100 * 0.05 * k) for k in range(count)]


def test_what_lost_its_chance_stops_and_is_told_where_it_would_have_ended() -> None:
    found = stops([at(20, 0.1), at(21, 0.9), at(22, 0.1, cost=0.5)], rising(15))
    assert found.keys() == {20}, "21 is the best, 22 the cheapest"
    assert found[20].final.value == pytest.approx(10.0, abs=3.0)
    assert (
        found[20].words == "under 1 % chance to end above trial 14, which costs no more; 8% before"
    )


def test_nothing_stops_before_an_end_can_be_predicted() -> None:
    assert stops([at(20, 0.0)], rising(LEAST_TRIALS - 1)) == {}
    assert stops([at(20, 0.0)], rising(LEAST_TRIALS)).keys() == {20}


def test_a_task_whose_rung_misleads_is_learned_from_its_trials() -> None:
    """What scores least at the rung ends best here."""
    found = stops([at(20, 0.0), at(21, 0.9)], rising(15, sign=-1.0))
    assert found.keys() == {21}


def test_what_a_few_others_spoke_against_is_taken_up_when_more_speak_for_it() -> None:
    few = rising(LEAST_TRIALS)
    assert stops([at(20, 0.0)], few).keys() == {20}
    assert another_go([at(20, 0.0)], lambda step: few) == []
    more = [*few, *(ended(30 + k, 0.04 * k, 60.0 - 4 * k) for k in range(12))]
    assert another_go([at(20, 0.0)], lambda step: more) == [20]


def test_the_best_chance_comes_first_and_of_equals_the_first() -> None:
    stopped = [at(3, 0.66), at(4, 0.9), at(5, 0.9), at(6, 0.0)]
    assert another_go(stopped, lambda step: rising(14)) == [4, 5, 3]


def test_each_is_judged_by_the_rung_where_it_was_stopped() -> None:
    asked: list[int] = []

    def finished(step: int) -> Sequence[Finished]:
        asked.append(step)
        return rising(12) if step == 9 else rising(12, sign=-1.0)

    assert another_go([at(3, 0.9, step=24), at(4, 0.9, step=9)], finished) == [4]
    assert asked == [24, 9]


def test_nobody_is_taken_up_before_an_end_can_be_predicted() -> None:
    assert another_go([at(3, 0.9)], lambda step: []) == []
