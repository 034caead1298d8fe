"""DyLoRA: a cut equals a smaller LoRA, and training draws every rank."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

from autopeft.callbacks.dylora import Cuts, DyLora
from autopeft.training.callback import Callback, Run
from autopeft.types import Configuration, Placement
from tests import as_lora, toy_task

RANK = 4


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_cut_is_a_lora_of_that_rank_with_alpha_over_rank(cut: int) -> None:
    scoring = toy_task.scoring()
    pack = scoring.pack([scoring.lora(RANK)])
    for layer in pack.layers.values():
        torch.nn.init.normal_(layer.B, generator=torch.Generator().manual_seed(0))
    settings = {"rank": cut, "scaling": 2.0 * RANK / cut}
    placed = tuple(Placement(site.name, "lora", settings) for site in scoring.linears)
    small = scoring.pack([Configuration(placed, 1e-3)])
    for key, layer in small.layers.items():
        layer.A.data.copy_(pack.layers[key].A[:, :cut])
        layer.B.data.copy_(pack.layers[key].B[:, :, :cut])
    cuts = Cuts(pack)
    cuts.to(torch.full((1, len(pack.layers)), cut))
    rows = scoring.rows(1)[0]
    with torch.no_grad():
        with pack.attached(scoring.model):
            mine = pack.logits(scoring.model, scoring.splits[0].batch(rows))
        with small.attached(scoring.model):
            theirs = small.logits(scoring.model, scoring.splits[0].batch(rows))
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_cut_to_nothing_is_the_frozen_model_and_full_restores() -> None:
    scoring = toy_task.scoring()
    pack = scoring.pack([scoring.lora(RANK), scoring.lora(2)])
    for layer in pack.layers.values():
        torch.nn.init.ones_(layer.B)
    before = [layer.factor.clone() for layer in pack.layers.values()]
    cuts = Cuts(pack)
    cuts.to(torch.zeros(2, len(pack.layers), dtype=torch.long))
    batch = scoring.splits[0].batch(scoring.rows(1)[0])
    with torch.no_grad(), pack.attached(scoring.model):
        cut = pack.logits(scoring.model, batch)
    torch.testing.assert_close(cut[0], scoring.model(**batch).logits)
    cuts.full()
    assert all(map(torch.equal, before, (layer.factor for layer in pack.layers.values())))


class Draws(Callback):
    def __init__(self, dylora: DyLora) -> None:
        self.dylora = dylora
        self.seen: list[list[int]] = []

    def after_backward(self, run: Run, step: int) -> None:
        self.seen.append(self.dylora.drawn)
        for layer in run.pack.layers.values():
            for k, rank in enumerate(self.dylora.drawn):
                assert not layer.B.grad[k, :, rank:].any()
                assert layer.B.grad[k, :, :rank].any()


def test_every_rank_is_drawn_and_only_its_directions_get_a_gradient() -> None:
    scoring = toy_task.scoring(steps=40)
    dylora = DyLora()
    draws = Draws(dylora)
    scoring.train(scoring.pack([scoring.lora(RANK), scoring.lora(2)]), callbacks=[dylora, draws])
    first, second = zip(*draws.seen, strict=True)
    assert (set(first), set(second)) == ({1, 2, 3, 4}, {1, 2})


def test_ranks_to_draw_from_can_be_given() -> None:
    scoring = toy_task.scoring(steps=20)
    dylora = DyLora([2, 4, 16])
    draws = Draws(dylora)
    scoring.train(scoring.pack([scoring.lora(RANK)]), callbacks=[dylora, draws])
    assert {ranks[0] for ranks in draws.seen} == {2, 4}


def test_the_module_type_is_cut_in_training_and_nothing_else_is() -> None:
    scoring = toy_task.scoring(["0.mlp.up"], steps=8, layers=1)
    settings = {"rank": RANK, "scaling": 2.0}
    placed = [
        Placement(site.name, ("dylora", "lora")[index % 2], settings)
        for index, site in enumerate(scoring.linears)
    ]
    pack = scoring.pack([Configuration(tuple(placed), 1e-2)])

    class Witness(Callback):
        used: ClassVar[dict[str, set[int]]] = {"dylora": set(), "lora": set()}

        def after_backward(self, run: Run, step: int) -> None:
            for key, layer in run.pack.layers.items():
                gradient: Any = layer.B.grad
                rank = int(gradient[0].any(0).sum())
                self.used[key.partition(":")[2]].add(rank)

    scoring.train(pack, callbacks=[Witness()])
    assert Witness.used["lora"] == {RANK}
    assert len(Witness.used["dylora"]) > 1
    assert as_lora.check(scoring, pack) == [RANK] * len(placed)
