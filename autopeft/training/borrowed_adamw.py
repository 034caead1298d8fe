"""The AdamW of somebody else's loop, as training-time methods see it."""

from __future__ import annotations

import torch
from torch import nn

from autopeft.training.packed_adamw import MOMENTS, PackedAdamW


class BorrowedAdamW(PackedAdamW):
    """Shows gradients and moments of a torch optimiser on the parameters of a pack of one."""

    def __init__(self, optimiser: torch.optim.Optimizer) -> None:
        """Look into an optimiser; its own loop steps it."""
        self._theirs = optimiser

    def gradient(self, parameter: nn.Parameter) -> torch.Tensor:
        """Of the last step: the loop has not cleared it yet."""
        assert parameter.grad is not None
        return parameter.grad

    def moments(self, parameter: nn.Parameter) -> list[torch.Tensor]:
        """Where there are any: after the first step."""
        state = self._theirs.state[parameter]
        return [state[name] for name in MOMENTS if name in state]

    def step(self, factor: float = 1.0) -> None:
        """Nothing."""
