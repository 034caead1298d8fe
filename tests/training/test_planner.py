"""The planner packs only as wide as it pays, and groups configurations of one trunk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autopeft.training import planner as subject
from autopeft.training.planner import Planner, restored


class Clock:
    """A clock that only steps move."""

    def __init__(self, cost: Callable[[int, int], float]) -> None:
        self.now = 0.0
        self.cost = cost

    def step(self, entry: int, width: int) -> None:
        self.now += self.cost(entry, width)


def planner(monkeypatch: pytest.MonkeyPatch, cost: Callable[[int, int], float]) -> Planner:
    clock = Clock(cost)
    monkeypatch.setattr(subject.time, "perf_counter", lambda: clock.now)
    return Planner(clock.step, largest=16)


def test_packing_that_does_not_pay_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planner(monkeypatch, lambda entry, width: 1.0 * width).width(0) == 1
    assert planner(monkeypatch, lambda entry, width: 1.1 * width - 0.1).width(0) == 1


def test_packing_that_always_pays_is_as_wide_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planner(monkeypatch, lambda entry, width: 1.0 + 0.1 * width).width(0) == 16


def test_the_width_stops_where_the_gain_does(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = planner(monkeypatch, lambda entry, width: max(4.0, width) + 0.01 * width)
    assert chosen.width(2) == 4
    assert chosen.widths == {2: 4}


def test_out_of_memory_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(entry: int, width: int) -> float:
        if width > 2:
            raise torch.OutOfMemoryError("no more")
        return 1.0

    assert planner(monkeypatch, cost).width(0) == 2


def test_a_stored_width_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(entry: int, width: int) -> float:
        raise AssertionError("measured")

    again = planner(monkeypatch, cost)
    again.widths.update(restored({"0": 3}))
    assert again.width(0) == 3


def test_packs_hold_every_position_once_and_neighbouring_trunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = planner(monkeypatch, lambda entry, width: 1.0)
    entries = [0, 5, 4, 0, 1, 5, 3, 0]
    packs = wide.plan(entries)
    assert sorted(i for pack in packs for i in pack) == list(range(len(entries)))
    for pack in packs:
        depths = [entries[i] for i in pack]
        assert max(depths) - min(depths) <= 1
    assert wide.plan(entries) == packs
    assert wide.plan([]) == []


def test_a_fixed_width_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = Planner(lambda entry, width: None, largest=2, fixed=True)
    assert [len(pack) for pack in fixed.plan([0] * 5)] == [2, 2, 1]
