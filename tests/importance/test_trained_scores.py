"""Methods that train or skip: a planted site or layer is found, the same seed gives the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autopeft import allocation, catalog, rank_budget
from autopeft.types import Scores
from tests import toy_task

PLANTED = ["2.mlp.up"]
METHODS = ["adalora", "das", "diffora", "dylora", "eva", "ist", "light_peft", "lora_drop"]


def scored(method: str, **options: Any) -> Scores:
    scoring = toy_task.scoring(PLANTED, **options)
    found: Scores = catalog.importance.load(method).score(scoring)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_whole_and_repeatable_and_leave_no_trace(method: str) -> None:
    scoring = toy_task.scoring(PLANTED, steps=12)
    before = {k: v.clone() for k, v in scoring.model.state_dict().items()}
    found = catalog.importance.load(method).score(scoring)
    assert found.method == method
    assert list(found.site) == [site.name for site in scoring.linears]
    assert min(found.site.values()) >= 0 < max(found.site.values())
    assert found.site == scored(method, steps=12).site
    assert all(torch.equal(v, before[k]) for k, v in scoring.model.state_dict().items())
    hooks = [m for m in scoring.model.modules() if m._forward_hooks or m._forward_pre_hooks]
    assert hooks == []


@pytest.mark.parametrize("method", METHODS)
def test_an_allocation_within_any_budget(method: str) -> None:
    scoring = toy_task.scoring(PLANTED, steps=6)
    found = catalog.importance.load(method).score(scoring)
    for budget in (0, 47, 500, 5000):
        placed = allocation.allocate([found], scoring.backbone, budget, {"rank": 1})
        assert allocation.parameters(placed, scoring.backbone) <= budget
    assert placed


# --- planted answers --------------------------------------------------------------------------


def test_das_finds_the_layer_that_does_nothing() -> None:
    scoring = toy_task.scoring(PLANTED, steps=160)
    idle = scoring.model.bert.encoder.layer[1]
    with torch.no_grad():
        for linear in (idle.attention.output.dense, idle.output.dense):
            linear.weight.zero_()
            linear.bias.zero_()
        # A norm of what is normal already changes nothing.
        below = scoring.model.bert.encoder.layer[0].output
        for owner in (below, idle.attention.output, idle.output):
            owner.LayerNorm.weight.fill_(1)
            owner.LayerNorm.bias.zero_()
        # Sure of its answers: where they stay the same, so does the loss.
        scoring.model.classifier.weight.mul_(50)
    split = scoring.splits[0]
    labels = scoring.model(**split.batch(list(range(len(split))))).logits.argmax(-1)
    split.labels.copy_(labels)
    found = catalog.importance.load("das").score(scoring)
    layers = [found.layer(index) for index in range(4)]
    assert layers.index(min(layers)) == 1


def test_dylora_scores_the_gain_of_every_rank_and_says_how_well_they_add_up() -> None:
    found = scored("dylora", steps=60)
    assert {len(values) for values in found.rank.values()} == {8}
    full = found.provenance["loss"]
    about = found.provenance["additivity"]
    assert len(about["predicted"]) == len(about["measured"]) == 8
    assert min(about["measured"]) > 0.2 * full
    assert -1 <= about["rank_correlation"] <= 1
    for name, values in found.rank.items():
        assert found.site[name] == pytest.approx(max(0.0, sum(values)), abs=1e-9)


def test_light_peft_cuts_a_dead_direction_first() -> None:
    from autopeft.importance.light_peft import EarlyRun
    from autopeft.training.callback import Callback, Run

    class Dead(Callback):
        """Holds one direction of one site at 0."""

        @torch.no_grad()
        def before_step(self, run: Run, step: int) -> None:
            layer: Any = next(iter(run.pack.layers.values()))
            layer.A[0, 2] = 0
            layer.B[0, :, 2] = 0

    scoring = toy_task.scoring(PLANTED, steps=20)
    early = EarlyRun()
    scoring.train(scoring.pack([scoring.lora(4)]), callbacks=[Dead(), early])
    first = next(iter(early.ranks.values()))
    assert first.argmin() == 2
    assert first[2] == 0
    assert early.steps == 10


def test_eva_gives_the_variance_that_principal_components_explain() -> None:
    scoring = toy_task.scoring(PLANTED)
    found = catalog.importance.load("eva").score(scoring)
    kept: list[torch.Tensor] = []
    target = scoring.model.get_submodule(scoring.linears[0].path)
    hook = target.register_forward_pre_hook(lambda m, args: kept.append(args[0].flatten(0, 1)))
    with torch.no_grad():
        for rows in scoring.rows(8):
            scoring.model(**scoring.splits[0].batch(rows))
    hook.remove()
    tokens = torch.cat(kept).double()
    values = torch.linalg.svdvals(tokens - tokens.mean(0)).square()
    expected = (values / values.sum())[:4]
    mine = torch.tensor(found.rank[scoring.linears[0].name][:4], dtype=torch.float64)
    torch.testing.assert_close(mine, expected, rtol=0.02, atol=1e-3)


def test_adalora_keeps_what_it_promised() -> None:
    found = scored("adalora", steps=40)
    assert sum(found.provenance["final_ranks"].values()) == 4 * len(found.site)
    assert all(values == sorted(values, reverse=True) for values in found.rank.values())


@pytest.mark.parametrize("method", ["adalora", "diffora", "dylora", "light_peft", "lora_drop"])
def test_sites_that_alone_can_be_trained_are_found(method: str) -> None:
    useful = ["1.mlp.down", "3.attention.value"]
    scoring = toy_task.muted(useful, steps=60)
    found = catalog.importance.load(method).score(scoring)
    order = sorted(found.site, key=lambda name: -found.site[name])
    assert set(order[:2]) == set(useful)
    one = rank_budget.price(scoring.backbone.site("1.mlp.down"))
    placed = allocation.allocate([found], scoring.backbone, one + 32, {"rank": 1})
    assert {p.site for p in placed} <= set(useful)
    assert placed


def test_diffora_spends_the_budget_on_the_sites_that_help() -> None:
    scoring = toy_task.muted(["1.mlp.down", "3.attention.value"], steps=60)
    gates = catalog.importance.load("diffora").score(scoring).provenance["gates"]
    closed = [gate for name, gate in gates.items() if name not in scoring.useful]
    assert all(gates[name] > max(closed) for name in scoring.useful)
