"""The planner splits configurations into the packs that are expected to end first."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

from autopeft.training import planner as subject
from autopeft.training.pack_load import Load, Probe, padded_parameters
from autopeft.training.planner import Planner, Timings

LAYERS = 6
PER_RANK = 100
"""Parameters of a typical configuration at layer 0, for each unit of its rank."""

MEMORY = 100
"""Bytes of a configuration for each layer from its entry on."""

Cost = Callable[[int, int, int], float]
"""(entry layer, K, rank) -> seconds of a step."""


class Clock:
    """A clock that only steps move."""

    def __init__(self, cost: Cost) -> None:
        self.now = 0.0
        self.cost = cost

    def step(self, entry: int, width: int, rank: int) -> Probe:
        self.now += self.cost(entry, width, rank)
        share = LAYERS - entry
        return Probe(PER_RANK * rank * share // LAYERS, MEMORY * share)


def planner(monkeypatch: pytest.MonkeyPatch, cost: Cost, largest: int = 16) -> Planner:
    clock = Clock(cost)
    monkeypatch.setattr(subject.time, "perf_counter", lambda: clock.now)
    return Planner(clock.step, LAYERS, largest)


def load(entry: int, rank: int = 8) -> Load:
    """LoRA of one rank in every layer from the entry on."""
    each = PER_RANK * rank // LAYERS
    return Load(entry, {(f"{layer}.mlp.up", "lora"): each for layer in range(entry, LAYERS)})


def sizes(packs: list[list[int]]) -> list[int]:
    return sorted(len(pack) for pack in packs)


def by_layer(fixed: float, each: float) -> Cost:
    """A step that costs something once, and something for every adapted layer and configuration."""
    return lambda entry, width, rank: fixed + width * each * (LAYERS - entry + 1)


@pytest.mark.parametrize("alone", [1.0, 1.1])
def test_packing_that_does_not_pay_is_not_chosen(
    monkeypatch: pytest.MonkeyPatch, alone: float
) -> None:
    chosen = planner(monkeypatch, lambda entry, width, rank: width * alone)
    assert sizes(chosen.plan([load(0)] * 5)) == [1, 1, 1, 1, 1]


def test_packing_that_always_pays_is_as_wide_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = planner(monkeypatch, by_layer(10.0, 0.1), largest=4)
    assert sizes(chosen.plan([load(0)] * 9)) == [1, 4, 4]


def test_the_chosen_split_is_the_cheapest(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(entry: int, width: int, rank: int) -> float:
        return (1.0 + (0.1 if width <= 4 else 2.0) * width) * (LAYERS - entry + 1)

    packs = planner(monkeypatch, cost).plan([load(0)] * 8)
    assert max(map(len, packs)) <= 4


def test_a_deep_trunk_is_not_spoilt_by_a_shallow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = [load(0), load(5), load(5), load(0), load(5)]
    packs = planner(monkeypatch, by_layer(1.0, 1.0)).plan(loads)
    assert [1, 2, 4] in packs
    assert not any({0, 3} & set(pack) and {1, 2, 4} & set(pack) for pack in packs)


def test_one_giant_does_not_pad_thirty_dwarfs(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(entry: int, width: int, rank: int) -> float:
        return (10.0 + 0.1 * width * rank) * (LAYERS - entry + 1)

    giant = 7
    loads = [load(0, 64 if i == giant else 1) for i in range(31)]
    packs = planner(monkeypatch, cost, largest=32).plan(loads)
    assert [giant] in packs
    assert sorted(i for pack in packs for i in pack) == list(range(31))


def test_out_of_memory_bounds_every_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(entry: int, width: int, rank: int) -> float:
        if width > 2:
            raise torch.OutOfMemoryError("no more")
        return 1.0

    assert sizes(planner(monkeypatch, cost).plan([load(0)] * 5)) == [1, 2, 2]


def test_a_pack_stays_within_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = planner(monkeypatch, by_layer(10.0, 0.1))
    chosen.timings.room = 2 * LAYERS * MEMORY
    packs = chosen.plan([load(0)] * 5 + [load(4)] * 6)
    assert sizes(packs) == [1, 2, 2, 6]
    assert sorted(i for pack in packs for i in pack) == list(range(11))


def test_every_seed_takes_its_place_and_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = planner(monkeypatch, by_layer(10.0, 0.1), largest=8)
    assert sizes(chosen.plan([load(0)] * 4, seeds=4)) == [2, 2]
    assert sizes(chosen.plan([load(0)] * 2, seeds=9)) == [1, 1]
    chosen.timings.room = 4 * LAYERS * MEMORY
    assert sizes(chosen.plan([load(0)] * 4, seeds=2)) == [2, 2]
    assert sizes(chosen.plan([load(0)] * 4, seeds=3)) == [1, 1, 1, 1]


def test_without_memory_for_one_each_is_tried_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(entry: int, width: int, rank: int) -> float:
        raise MemoryError

    assert sizes(planner(monkeypatch, cost).plan([load(0)] * 3)) == [1, 1, 1]


def test_stored_timings_are_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = planner(monkeypatch, by_layer(3.0, 1.0))
    loads = [load(entry, rank) for entry, rank in ((0, 1), (3, 8), (5, 64), (6, 1), (0, 4))]
    packs = first.plan(loads)
    again = Planner(lambda *_: pytest.fail("measured"), LAYERS, 16)
    again.timings = Timings.from_json(json.loads(json.dumps(first.timings.to_json())))
    assert again.plan(loads) == packs


def test_expected_seconds_are_those_of_a_cost_that_is_affine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = planner(monkeypatch, by_layer(5.0, 1.0))
    assert chosen.seconds([load(0)] * 3) == pytest.approx(5 + 3 * 7)
    assert chosen.seconds([load(3)] * 5) == pytest.approx(5 + 5 * 4)


def test_nothing_is_planned_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planner(monkeypatch, by_layer(1.0, 1.0)).plan([]) == []


def test_a_fixed_width_is_kept_and_nothing_is_timed() -> None:
    fixed = Planner(lambda *_: pytest.fail("measured"), LAYERS, 2, fixed=True)
    assert sizes(fixed.plan([load(0)] * 5)) == [1, 2, 2]


def test_padding_reaches_the_largest_at_every_place() -> None:
    one = Load(0, {("0.q", "lora"): 8, ("1.q", "lora"): 2})
    other = Load(0, {("0.q", "lora"): 1, ("0.q", "ia3"): 3})
    assert padded_parameters([one, other]) == 8 + 2 + 3
