"""Training-time callbacks: when each is called, and that they see the whole pack."""

from __future__ import annotations

import torch

from autopeft.training.callback import Callback, Run
from tests import toy_task


class Listener(Callback):
    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.before: torch.Tensor | None = None

    def before_step(self, run: Run, step: int) -> None:
        self.calls.append(("before", step))
        assert all(p.grad is None for p in run.pack.parameters())

    def after_backward(self, run: Run, step: int) -> None:
        self.calls.append(("backward", step))
        assert any(p.grad is not None for p in run.pack.parameters())
        self.before = next(run.pack.parameters()).detach().clone()

    def after_step(self, run: Run, step: int) -> None:
        self.calls.append(("after", step))
        assert self.before is not None
        assert not torch.equal(self.before, next(run.pack.parameters()))


def test_a_callback_is_called_around_every_step() -> None:
    scoring = toy_task.scoring(steps=3)
    # With B at zero, A would not move in the first step.
    pack = scoring.pack([scoring.lora(2), scoring.lora(1)])
    for layer in pack.layers.values():
        torch.nn.init.ones_(layer.B)
    listener = Listener()
    assert scoring.train(pack, callbacks=[listener]) == [True, True]
    assert listener.calls == [(w, s) for s in range(3) for w in ("before", "backward", "after")]


def test_a_callback_may_change_gradients() -> None:
    class Still(Callback):
        def after_backward(self, run: Run, step: int) -> None:
            for parameter in run.pack.parameters():
                parameter.grad = None

    scoring = toy_task.scoring(steps=2)
    pack = scoring.pack([scoring.lora(2)])
    before = [p.detach().clone() for p in pack.parameters()]
    scoring.train(pack, callbacks=[Still()])
    # Only weight decay is left.
    for old, new in zip(before, pack.parameters(), strict=True):
        torch.testing.assert_close(old, new, rtol=1e-3, atol=0)
