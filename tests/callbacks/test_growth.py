"""Methods that grow ranks: the target is met and never passed, and whatever joins can learn."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import torch

from autopeft.callbacks.growth import Rounds, awarded, rank_of
from autopeft.callbacks.increlora import IncreLora
from autopeft.callbacks.triadapt import TriAdapt
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.types import Configuration, Placement
from tests import as_lora, toy_task

METHODS = {"increlora": IncreLora, "triadapt": TriAdapt}
STEPS = 16
both = pytest.mark.parametrize("name", sorted(METHODS))


def small(steps: int = STEPS, **options: Any) -> Scoring:
    return toy_task.scoring(["0.mlp.up"], steps=steps, layers=1, **options)


def pack_of(scoring: Scoring, name: str, *ranks: int, live: float = 0.5, **options: Any) -> Any:
    """Configurations of a method at every linear, with options of the method."""
    piece = scoring.modules[name]
    modules = {name: replace(piece, method=lambda: METHODS[name](**options))}
    configurations = []
    for rank in ranks:
        settings = {"rank": rank, "alpha": 4.0, "live": live}
        placed = tuple(Placement(site.name, name, settings) for site in scoring.linears)
        configurations.append(Configuration(placed, 5e-3))
    return scoring.pack(configurations, modules=modules)


class Recorder(Callback):
    """Total ranks after every step [K], and the steps at which each first moved."""

    def __init__(self) -> None:
        self.totals: list[list[int]] = []
        self.gradients: list[float] = []

    def after_backward(self, run: Run, step: int) -> None:
        first = [layer.B.grad[0, :, 0].abs().sum() for layer in run.pack.layers.values()]
        self.gradients.append(float(torch.stack(first).min()))

    def after_step(self, run: Run, step: int) -> None:
        layers = run.pack.layers.values()
        self.totals.append([sum(rank_of(x, k) for x in layers) for k in range(run.pack.count)])


# --- what is given ----------------------------------------------------------------------------


def test_ties_go_to_the_first_and_the_last_one_is_cut_short() -> None:
    assert awarded([1.0, 2, 2, 1], [9] * 4, amount=5, each=2) == [1, 2, 2, 0]
    assert awarded([0.0, 0, 0], [9] * 3, amount=1, each=3) == [1, 0, 0]
    assert awarded([0.0, 1, 0], [1, 0, 2], amount=9, each=1) == [1, 0, 2]
    assert awarded([3.0, 1], [5, 5], amount=0, each=1) == [0, 0]


def test_no_more_is_ever_given_than_there_is() -> None:
    draw = random.Random(0)
    for _ in range(500):
        sites = draw.randint(1, 8)
        scores = [draw.choice([0.0, 1.0, draw.random()]) for _ in range(sites)]
        room = [draw.randint(0, 5) for _ in range(sites)]
        amount, each = draw.randint(0, 20), draw.randint(1, 4)
        gains = awarded(scores, room, amount=amount, each=each)
        assert sum(gains) == min(amount, sum(room))
        assert all(0 <= gain <= most for gain, most in zip(gains, room, strict=True))


def test_rounds_are_spread_and_the_last_is_the_last() -> None:
    rounds = Rounds(first=10, interval=4, count=3)
    assert [step for step in range(40) if rounds.due(step)] == [14, 18, 22]
    assert [rounds.left(step) for step in (14, 18, 22)] == [3, 2, 1]


# --- in training ------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("options", [{}, {"rounds": 1}, {"begin": 0.0, "end": 1.0, "rounds": 99}])
def test_ranks_grow_from_one_to_the_target_and_never_above(
    name: str, options: dict[str, Any]
) -> None:
    scoring = small()
    pack, recorder = pack_of(scoring, name, 5, 2, live=0.55, **options), Recorder()
    scoring.train(pack, callbacks=[recorder])
    sites = len(scoring.linears)
    targets = (int(0.55 * 5 * sites), int(0.55 * 2 * sites))
    for k, goal in enumerate(targets):
        trace = [totals[k] for totals in recorder.totals]
        assert trace == sorted(trace)
        assert trace[0] >= sites
        assert max(trace) == trace[-1] == goal
    for layer in pack.layers.values():
        assert all(1 <= rank_of(layer, k) <= size for k, size in enumerate((5, 2)))


@both
def test_a_rank_of_one_or_a_small_share_does_not_grow(name: str) -> None:
    scoring = small(6)
    pack, recorder = pack_of(scoring, name, 1, 4, live=0.1), Recorder()
    scoring.train(pack, callbacks=[recorder])
    assert {tuple(totals) for totals in recorder.totals} == {(len(scoring.linears),) * 2}


@both
def test_the_first_block_learns_within_two_steps(name: str) -> None:
    scoring = small(2)
    recorder = Recorder()
    scoring.train(pack_of(scoring, name, 4, orthogonality=0.0), callbacks=[recorder])
    assert recorder.gradients[1] > 0


@both
def test_what_has_joined_learns_and_nothing_else_moves(name: str) -> None:
    scoring = small()
    pack, fresh = pack_of(scoring, name, 6), pack_of(scoring, name, 6)
    scoring.train(pack)
    for key, layer in pack.layers.items():
        rank = rank_of(layer, 0)
        moved = (layer.A != fresh.layers[key].A)[0].any(1)
        assert moved[:rank].all()
        ahead = layer.A.shape[1] if name == "increlora" else rank
        assert not moved[ahead:].any()
        core = layer.E[0] if name == "increlora" else layer.C[0].diagonal()
        assert torch.count_nonzero(core) == rank


class Growing(Callback):
    """Logits right before and right after the methods of a step."""

    def __init__(self, method: Any) -> None:
        self.method = method
        self.jumps: list[float] = []

    def after_step(self, run: Run, step: int) -> None:
        batch = run.split.batch(list(range(8)))
        with torch.no_grad():
            before = run.pack.logits(run.model, batch)
            self.method.after_step(run, step)
            after = run.pack.logits(run.model, batch)
        self.jumps.append(float((after - before).abs().max()))


@both
def test_growth_leaves_the_function_as_it_was(name: str) -> None:
    scoring = small(dtype=torch.float64)
    method = METHODS[name](begin=0.5, end=0.6, rounds=1)
    quiet = replace(scoring.modules[name], method=None)
    plain = pack_of(scoring, name, 6)
    pack = scoring.pack([job.configuration for job in plain.jobs], modules={name: quiet})
    growing = Growing(method)
    hooks = type("Hooks", (Callback,), {"before_step": method.before_step})()
    hooks.after_backward = method.after_backward
    scoring.train(pack, callbacks=[hooks, growing])
    assert sum(rank_of(layer, 0) for layer in pack.layers.values()) == 3 * len(scoring.linears)
    assert growing.jumps[STEPS // 2 + 1] < 1e-5


@both
def test_a_configuration_grows_alone_as_in_a_pack(name: str) -> None:
    scoring = small(dtype=torch.float64)
    together, alone = pack_of(scoring, name, 6, 4), pack_of(scoring, name, 4)
    for pack in (together, alone):
        scoring.train(pack)
    for tensor, expected in ((together.export, alone.export), (together.memory, alone.memory)):
        for key, value in expected(0).items():
            torch.testing.assert_close(tensor(1)[key], value, rtol=1e-6, atol=1e-12)


@both
def test_the_end_is_a_plain_lora_with_alpha_at_every_site(name: str) -> None:
    scoring = small()
    pack = pack_of(scoring, name, 6)
    scoring.train(pack)
    ranks = as_lora.check(scoring, pack)
    assert sum(ranks) == 3 * len(scoring.linears)
    assert len(set(ranks)) > 1
    for layer, rank in zip(pack.layers.values(), ranks, strict=True):
        piece, settings = pack.types[name], pack.jobs[0].configuration.placements[0].settings
        assert piece.as_lora(settings, layer.export(0)).scaling * rank == pytest.approx(4.0)


@both
def test_the_only_site_that_matters_grows_most(name: str) -> None:
    scoring = toy_task.muted(["1.mlp.up"], steps=STEPS)
    pack = pack_of(scoring, name, 5, live=0.5, orthogonality=0.0)
    scoring.train(pack)
    ranks = {pack.sites[key].name: rank_of(layer, 0) for key, layer in pack.layers.items()}
    assert ranks["1.mlp.up"] == max(ranks.values()) > 2


def test_reserves_train_ahead_and_are_dropped_at_the_target() -> None:
    scoring = small()
    pack = pack_of(scoring, "increlora", 6)

    seen: list[float] = []

    class Witness(Callback):
        def after_step(self, run: Run, step: int) -> None:
            seen.append(sum(float(x.reserve.sum()) for x in run.pack.layers.values()))

    fresh = {key: layer.A.detach().clone() for key, layer in pack.layers.items()}
    scoring.train(pack, steps=3, callbacks=[Witness()])
    assert seen[0] > 0
    assert all((layer.A[0, 1] != fresh[key][0, 1]).any() for key, layer in pack.layers.items())
    pack = pack_of(scoring, "increlora", 6)
    scoring.train(pack, callbacks=[Witness()])
    assert seen[-1] == 0
