"""A direction that joins late is updated as by an optimiser of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from autopeft.callbacks.latecomers import NEVER, Latecomers, pace
from autopeft.training.packed_adamw import PackedAdamW

BORN = torch.tensor([[0, 3, 7, NEVER]])
STEPS = 20


class Rows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.A = nn.Parameter(torch.randn(1, 4, 5, generator=generator, dtype=torch.float64))

    def births(self) -> dict[nn.Parameter, torch.Tensor]:
        return {self.A: BORN.unsqueeze(2)}


def test_every_direction_has_steps_and_a_warm_up_of_its_own() -> None:
    rows, rate, warm = Rows(), 1e-2, 4
    alone = [nn.Parameter(row.detach().clone()) for row in rows.A[0]]
    optimiser = PackedAdamW([rows.A], torch.tensor([rate], dtype=torch.float64), clip=0.0)
    own = [torch.optim.AdamW([row], lr=rate, weight_decay=0.0) for row in alone]
    late = Latecomers(warmup=warm / STEPS)
    run: Any = SimpleNamespace(steps=STEPS)
    generator = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        gradient = torch.randn(1, 4, 5, generator=generator, dtype=torch.float64)
        rows.A.grad = gradient.clone()
        late.hold([rows], step)
        optimiser.step()
        late.let_in(run, [rows], step)
        for born, row, mine, one in zip(BORN[0].tolist(), alone, own, gradient[0], strict=True):
            if born <= step:
                rise = min(1.0, (step + 1 - born) / warm) if born else 1.0
                mine.param_groups[0]["lr"] = rate * rise
                row.grad = one
                mine.step()
        torch.testing.assert_close(rows.A[0], torch.stack(alone), rtol=1e-6, atol=1e-9)
    moments = optimiser.moments(rows.A)
    assert not any(moment[0, 3].any() for moment in moments)
    assert all(moment[0, :3].all() for moment in moments)


def test_those_of_the_first_step_keep_the_pace_of_the_run() -> None:
    assert pace(torch.tensor([0, 5, NEVER]), 4, 3).tolist() == [1, 0, 0]
