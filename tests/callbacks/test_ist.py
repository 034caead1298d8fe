"""IST: who is trained, what resting means, and the sign of the scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autopeft.callbacks.ist import Ist
from autopeft.training.callback import Callback, Run
from tests import toy_task


class Witness(Callback):
    """Which layers' parameters each step changed, [steps, K, layers]; runs after IST."""

    def __init__(self, ist: Ist) -> None:
        self.ist = ist
        self.changed: list[torch.Tensor] = []
        self.active: list[torch.Tensor] = []

    def before_step(self, run: Run, step: int) -> None:
        self.before = [p.detach().clone() for p in run.pack.layers.parameters()]

    def after_step(self, run: Run, step: int) -> None:
        depth = len(run.pack.backbone.layers)
        changed = torch.zeros(run.pack.count, depth, dtype=torch.bool)
        before = iter(self.before)
        for key, layer in run.pack.layers.items():
            for parameter in layer.parameters():
                moved = (parameter != next(before)).flatten(1).any(1)
                changed[:, run.pack.sites[key].layer] |= moved
        self.changed.append(changed)
        self.active.append(self.ist.active.clone())


def trained(ranks: list[int], **options: Any) -> tuple[Ist, Witness, Any]:
    scoring = toy_task.scoring(steps=12, layers=8)
    pack = scoring.pack([scoring.lora(rank) for rank in ranks])
    ist = Ist(interval=4, **options)
    witness = Witness(ist)
    scoring.train(pack, callbacks=[ist, witness])
    return ist, witness, pack


def test_a_resting_layer_is_bit_identical_after_a_step() -> None:
    _, witness, _ = trained([2, 3])
    for changed, active in zip(witness.changed, witness.active, strict=True):
        assert active.sum(1).tolist() == [2, 2]
        assert not (changed & ~active).any()
        assert (changed == active).all()
    assert len({tuple(a[0].tolist()) for a in witness.active}) > 1


def test_scales_and_gradients_come_back_as_they_were() -> None:
    _, _, pack = trained([2])
    assert all(torch.equal(x.factor, torch.full((1, 1, 1), 2.0)) for x in pack.layers.values())
    assert all(p.requires_grad for p in pack.parameters())


def test_a_configuration_draws_and_scores_alone_as_in_a_pack() -> None:
    together, _, pack = trained([2, 3])
    alone, _, single = trained([2])
    torch.testing.assert_close(together.scores[:1], alone.scores, rtol=1e-3, atol=1e-6)
    for name, tensor in single.export(0).items():
        torch.testing.assert_close(pack.export(0)[name], tensor, rtol=1e-3, atol=1e-5)


def test_the_update_is_that_of_the_paper() -> None:
    scoring = toy_task.scoring(steps=2, layers=4)
    pack = scoring.pack([scoring.lora(2)])
    ist = Ist(interval=1)
    losses = iter([0.1, 0.5, 0.9])
    damped: list[torch.Tensor] = []

    def reward(run: Run, rows: list[int], chosen: torch.Tensor) -> torch.Tensor:
        damped.append(chosen[0])
        return torch.tensor([-next(losses)], dtype=torch.float64).exp()

    ist._reward = reward  # type: ignore[method-assign]
    scoring.train(pack, callbacks=[ist])
    rewards = torch.tensor([-0.1, -0.5, -0.9], dtype=torch.float64).exp()
    expected = sum(
        10 * (r - rewards.mean()) * 0.25 * flags for r, flags in zip(rewards, damped, strict=True)
    )
    torch.testing.assert_close(ist.scores[0], expected)
    assert len({tuple(flags.tolist()) for flags in damped}) == 3
    assert all(flags.sum() == 2 for flags in damped)


class Harm(Callback):
    """Makes one layer's updates harmful: whatever they add, the loss is worse with it."""

    def __init__(self, layer: int) -> None:
        self.layer = layer

    @torch.no_grad()
    def before_step(self, run: Run, step: int) -> None:
        if step:
            return
        generator = torch.Generator().manual_seed(0)
        for key, layer in run.pack.layers.items():
            if run.pack.sites[key].layer == self.layer:
                noise: Any = layer
                noise.B.copy_(torch.randn(noise.B.shape, generator=generator))


@pytest.mark.parametrize("layer", [0, 2])
def test_a_harmful_layer_is_least_likely_to_be_trained(layer: int) -> None:
    scoring = toy_task.scoring(["1.mlp.up"], steps=60)
    pack = scoring.pack([scoring.lora(4, rate=1e-5)])
    ist = Ist(interval=1, rests=False, standardised=True, step_size=1.0)
    scoring.train(pack, callbacks=[Harm(layer), ist])
    assert ist.scores[0].argmax() == layer


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_models_with_fewer_layers_than_sets_train_too(layers: int) -> None:
    scoring = toy_task.scoring(["0.mlp.up"], steps=3, layers=layers)
    ist = Ist(interval=1)
    assert scoring.train(scoring.pack([scoring.lora(2)]), callbacks=[ist]) == [True]
    assert ist.active.sum() == 1
