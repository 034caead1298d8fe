"""What the optimiser holds and needs, fitted to the real optimiser.

Its state is a multiple of the trained bytes. The peak of a step above the gradients is linear in
the number of tensors, their bytes together and the bytes of the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autopeft.training.live_storages import LiveStorages, levels
from autopeft.training.packed_adamw import PackedAdamW

Numbers = NDArray[np.int64]
UNIT = 2**20
"""Bytes of a small tensor of the fit; a multiple of what any allocator rounds up to."""


@dataclass(frozen=True)
class OptimiserMemory:
    """Coefficients of state and peak."""

    state_base: float
    state_share: float
    base: float
    each: float
    together: float
    largest: float

    def state(self, trained: Numbers) -> Numbers:
        """Bytes held between steps, given the bytes of all trained tensors of each of N [N]."""
        held: Numbers = np.rint(self.state_base + self.state_share * trained).astype(np.int64)
        return held

    def peak(self, count: Numbers, trained: Numbers, largest: Numbers) -> Numbers:
        """Most bytes of a step above what is there when it begins [N].

        Args:
            count: of the trained tensors.
            trained: bytes of them all.
            largest: bytes of the largest.
        """
        most = self.base + self.each * count + self.together * trained + self.largest * largest
        rounded: Numbers = np.where(count > 0, np.rint(most), 0).astype(np.int64)
        return rounded


def fitted(block: int) -> OptimiserMemory:
    """Coefficients, from steps on one, two and three tensors of one and two sizes."""
    one, double, two, three, two_double = (
        _run(sizes, block) for sizes in ([1], [2], [1, 1], [1, 1, 1], [2, 2])
    )
    together_and_each = three[1] - two[1]
    together_and_largest = double[1] - one[1]
    # [2, 2] against [1, 1]: twice `together` and once `largest`.
    together = (two_double[1] - two[1]) - together_and_largest
    largest = together_and_largest - together
    each = together_and_each - together
    share = double[0] - one[0]
    return OptimiserMemory(
        one[0] - share,
        share / UNIT,
        one[1] - each - together - largest,
        each,
        together / UNIT,
        largest / UNIT,
    )


def _run(sizes: Sequence[int], block: int) -> tuple[int, int]:
    """(bytes of the state, peak of a step) with tensors of so many units."""
    rates = torch.zeros(1)
    live = LiveStorages()
    with live:
        # On the tape, because the optimiser moves the parameters to memory of its own.
        trained = [nn.Parameter(torch.zeros(1, size * UNIT // 4)) for size in sizes]
        optimiser = PackedAdamW(trained, rates)
        state = levels(live.tape, block)[0] - sum(sizes) * UNIT
        for parameter in trained:
            parameter.grad = torch.zeros_like(parameter)
        live.tape.clear()
        optimiser.step()
        _, most = levels(live.tape, block)
    return state, most
