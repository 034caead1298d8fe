"""AdamW for directions that join a training late: each counts its own steps and warms up anew.

A direction is held still, and its moments at 0, until it is born. From then on it is updated as by
an AdamW of its own, with its own correction of the moments' bias and its own linear warm-up on top
of the schedule of the run. In a new parameter group, as the releases have it, a resumed optimiser
and a schedule built before would not know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from autopeft.training.callback import Run
from autopeft.training.packed_adamw import BETAS

NEVER = 2**31 - 1
"""The birth of a direction that has none yet."""


class Growing(Protocol):
    """A stacked module whose directions join at different steps."""

    def births(self) -> Mapping[nn.Parameter, torch.Tensor]:
        """Parameter -> the step from which each entry is trained; broadcasts to it."""


@dataclass
class Latecomers:
    """Holds back what is not born, and lets in what is."""

    warmup: float = 0.03
    """Share of the steps in which the rate of a newborn rises; those of step 0 have the run's."""
    _before: dict[nn.Parameter, torch.Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def hold(self, layers: Iterable[Growing], step: int) -> None:
        """After the backward pass: no gradient for the unborn, and the weights kept as they are."""
        self._before.clear()
        for layer in layers:
            for parameter, births in layer.births().items():
                assert parameter.grad is not None
                parameter.grad.masked_fill_(births > step, 0)
                self._before[parameter] = parameter.detach().clone()

    @torch.no_grad()
    def let_in(self, run: Run, layers: Iterable[Growing], step: int) -> None:
        """After the step: the unborn go back to where they were, newborns part of the way."""
        warm = max(1, round(self.warmup * run.steps))
        for layer in layers:
            for parameter, births in layer.births().items():
                share = pace(births, step, warm).to(parameter.dtype)
                parameter.copy_(torch.lerp(self._before.pop(parameter), parameter, share))


def pace(births: torch.Tensor, step: int, warm: int) -> torch.Tensor:
    """What the step of an entry must be multiplied by, given the step of its birth.

    AdamW corrects its moments for the steps of the run; a newborn needs the correction for its own.
    """
    own = (step + 1 - births).clamp(min=0).double()
    ratio = _correction(own.clamp(min=1)) / _correction(torch.tensor(step + 1.0).double())
    late = ratio * (own / warm).clamp(max=1)
    return torch.where(births > 0, late, 1.0)


def _correction(steps: torch.Tensor) -> torch.Tensor:
    first, second = BETAS
    return (1 - second**steps).sqrt() / (1 - first**steps)
