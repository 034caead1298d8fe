"""Drop and regrow: the total is constant at every step while the allocation moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from autopeft.callbacks.dsl import Dsl
from autopeft.callbacks.latecomers import NEVER
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.types import Configuration, Placement
from tests import as_lora, toy_task

STEPS = 16


def small(**options: Any) -> Scoring:
    return toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1, **options)


def pack_of(scoring: Scoring, *ranks: int, live: float = 0.5, **options: Any) -> Any:
    piece = replace(scoring.modules["dsl"], method=lambda: Dsl(**options))
    configurations = []
    for rank in ranks:
        settings = {"rank": rank, "scaling": 2.0, "live": live}
        placed = tuple(Placement(site.name, "dsl", settings) for site in scoring.linears)
        configurations.append(Configuration(placed, 5e-3))
    return scoring.pack(configurations, modules={"dsl": piece})


class Recorder(Callback):
    """Live directions of each site after every step, [sites, K, r], and A of each."""

    def __init__(self) -> None:
        self.live: list[torch.Tensor] = []
        self.weights: list[torch.Tensor] = []

    def after_step(self, run: Run, step: int) -> None:
        layers: list[Any] = list(run.pack.layers.values())
        self.live.append(torch.stack([layer.real & (layer.born < NEVER) for layer in layers]))
        self.weights.append(torch.stack([layer.E.detach().clone() for layer in layers]))


def test_the_total_rank_is_the_same_at_every_step_while_the_allocation_moves() -> None:
    scoring, recorder = small(), Recorder()
    scoring.train(pack_of(scoring, 4, 3), callbacks=[recorder])
    sites = len(scoring.linears)
    totals = {tuple(live.sum((0, 2)).tolist()) for live in recorder.live}
    assert totals == {(2 * sites, int(1.5 * sites))}
    allocations = {tuple(live[:, 0].sum(1).tolist()) for live in recorder.live}
    assert len(allocations) > 1
    moved = [not a.equal(b) for a, b in zip(recorder.live, recorder.live[1:], strict=False)]
    assert any(moved)
    assert not any(moved[round(0.7 * STEPS) :]), "ranks are final at the end"


def test_idle_directions_are_held_still_and_newcomers_start_at_zero() -> None:
    scoring, recorder = small(), Recorder()
    scoring.train(pack_of(scoring, 4), callbacks=[recorder])
    for live, weights in zip(recorder.live, recorder.weights, strict=True):
        assert not weights[~live].any()
    joined = [~a & b for a, b in zip(recorder.live, recorder.live[1:], strict=False)]
    for step, new in enumerate(joined):
        assert not recorder.weights[step + 1][new].any()
        if step + 2 < STEPS:
            still = new & recorder.live[step + 2]
            assert recorder.weights[step + 2][still].all(), "and learn in the next step"


def test_with_all_directions_live_nothing_moves() -> None:
    scoring, recorder = small(), Recorder()
    scoring.train(pack_of(scoring, 3, live=1.0), callbacks=[recorder])
    assert all(live.all() for live in recorder.live)


def test_directions_gather_at_the_only_site_that_matters() -> None:
    scoring = toy_task.muted(["1.mlp.up"], steps=STEPS)
    pack = pack_of(scoring, 5, live=0.4)
    scoring.train(pack)
    live = {pack.sites[k].name: int((x.born < NEVER).sum()) for k, x in pack.layers.items()}
    assert live["1.mlp.up"] == max(live.values()) > 2
    assert sum(live.values()) == 2 * len(scoring.linears)


def test_a_configuration_moves_alone_as_in_a_pack() -> None:
    scoring = small(dtype=torch.float64)
    together, alone = pack_of(scoring, 6, 4), pack_of(scoring, 4)
    for pack in (together, alone):
        scoring.train(pack)
    for found, expected in ((together.export, alone.export), (together.memory, alone.memory)):
        for key, value in expected(0).items():
            torch.testing.assert_close(found(1)[key], value, rtol=1e-6, atol=1e-12)


def test_the_end_is_a_plain_lora() -> None:
    scoring = small()
    pack = pack_of(scoring, 4)
    scoring.train(pack)
    assert sum(as_lora.check(scoring, pack)) == 2 * len(scoring.linears)


def test_ties_go_to_the_first() -> None:
    scoring = small()
    pack = pack_of(scoring, 2)
    run: Any = Run(scoring.model, pack, Forgetful(), scoring.task, scoring.splits[0], STEPS, 16)
    method = Dsl()
    method.before_step(run, 0)
    layers: list[Any] = list(pack.layers.values())
    with torch.no_grad():
        method._move(run, layers, 0, 0.34, 5)
    # Everything ties: the first two of six live ones go, the first two idle ones come.
    assert [layer.born[0].tolist() for layer in layers][:2] == [[NEVER, 5], [NEVER, 5]]
    assert all(layer.born[0].tolist() == [0, NEVER] for layer in layers[2:])


class Forgetful:
    def forget(self, parameter: torch.nn.Parameter, chosen: torch.Tensor) -> None:
        assert chosen.sum() == 1
