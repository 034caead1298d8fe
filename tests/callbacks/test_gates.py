"""Relaxed gates: the expected cost is the budget, and useful sites open."""

from __future__ import annotations

import pytest
import torch

from autopeft.callbacks.gates import Gates, shifted
from tests import toy_task


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_expected_cost_is_the_budget(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(3, 7, generator=generator, dtype=torch.float64)
    sizes = torch.rand(3, 7, generator=generator, dtype=torch.float64) + 0.1
    gates = shifted(logits, sizes, share * sizes.sum(1))
    torch.testing.assert_close((gates * sizes).sum(1), share * sizes.sum(1))
    assert ((gates > 0) & (gates < 1.0001)).all()
    assert (gates.argsort(1) == logits.argsort(1)).all()


def test_the_gradient_reaches_every_logit() -> None:
    logits = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    gates = shifted(logits, torch.ones(1, 4), torch.tensor([2.0], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(gates[0, 0], logits)
    assert gradient[0, 0] == pytest.approx(0.25)


def test_gates_stay_at_the_budget_while_they_learn() -> None:
    scoring = toy_task.scoring(steps=30)
    weights, held_out = scoring.halves()
    learner = Gates(held_out, [0.25, 0.75])
    pack = scoring.pack([scoring.lora(2), scoring.lora(4)])
    assert scoring.train(pack, callbacks=[learner]) == [True, True]
    spent = (learner.gates * learner.sizes).sum(1) / learner.sizes.sum(1)
    torch.testing.assert_close(spent, torch.tensor([0.25, 0.75], dtype=torch.float64))
    assert learner.gates.std(1).min() > 0
    assert len(weights) == len(held_out) == 128
