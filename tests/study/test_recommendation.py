"""What is recommended, and what is said of it after it was confirmed."""

from __future__ import annotations

import dataclasses

from autopeft.study.recommendation import confirmed, recommended
from autopeft.study.results import choose
from autopeft.types import Measured, Results
from tests import results_fixture as fixture


def with_differences(value: float, error: float) -> Results:
    """The fixture with the recommended trial confirmed against its first default."""
    plain = fixture.make()
    chosen = recommended(plain)
    assert chosen is not None
    default = next(t for t in plain.trials if t.default)
    differences = {str(default.number): [value, error]}
    facts = {"against_defaults": {"trial": chosen.number, "differences": differences}}
    return dataclasses.replace(plain, info={**plain.info, "confirmation": facts})


def test_the_smallest_within_one_error_of_the_best_is_recommended() -> None:
    plain = fixture.make()
    first = plain.objectives[0].name
    chosen = recommended(plain)
    assert chosen is not None
    front = [plain.trial(number) for number in plain.front]
    best = max(front, key=lambda t: t.objectives[first].value)
    least = best.objectives[first].value - best.objectives[first].error
    near = [t for t in front if t.objectives[first].value >= least]
    size = plain.objectives[1].name
    assert chosen.objectives[size].value == min(t.objectives[size].value for t in near)
    assert choose(plain, "smallest") == chosen


def test_an_error_that_is_not_known_counts_as_none() -> None:
    plain = fixture.make()
    first = plain.objectives[0].name
    trials = tuple(
        dataclasses.replace(
            t, objectives={**t.objectives, first: Measured(t.objectives[first].value, float("nan"))}
        )
        if t.objectives
        else t
        for t in plain.trials
    )
    blind = dataclasses.replace(plain, trials=trials)
    chosen = recommended(blind)
    assert chosen is not None
    best = max(blind.trial(n).objectives[first].value for n in blind.front)
    assert chosen.objectives[first].value == best


def test_without_a_front_nothing_is_recommended() -> None:
    assert recommended(fixture.of_trials(())) is None


def test_a_sure_difference_and_one_that_may_be_chance() -> None:
    (sure,) = confirmed(with_differences(5.0, 1.0))
    assert "better by 5.0" in sure
    assert "chance" not in sure
    (doubtful,) = confirmed(with_differences(-1.5, 1.0))
    assert "worse by 1.5" in doubtful
    assert "which may be chance" in doubtful
    (equal,) = confirmed(with_differences(0.0, 1.0))
    assert "equal" in equal
    assert "chance" not in equal


def test_parameters_that_are_saved_are_counted() -> None:
    """LoRA on q and v has 73,728 parameters, on all linears 331,776."""
    plain = fixture.make()
    small, large = plain.trial(0), plain.trial(1)
    assert (small.measurements["trainable"].value, large.measurements["trainable"].value) == (
        73_728,
        331_776,
    )
    for trial, default, ending in ((0, 1, "; 4.5 times fewer parameters"), (1, 0, "points")):
        facts = {"against_defaults": {"trial": trial, "differences": {str(default): [3.0, 1.0]}}}
        found = dataclasses.replace(plain, info={**plain.info, "confirmation": facts})
        assert confirmed(found)[0].endswith(ending)


def test_what_was_not_confirmed_says_nothing() -> None:
    assert confirmed(fixture.make()) == []
