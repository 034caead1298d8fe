"""The covariance of a Gaussian process as one dense matrix, without GPyTorch's machinery."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 1e-16
"""Squared distances below this count as this, or the gradient of the root would be infinite."""


@dataclass(frozen=True)
class Kernel:
    """A scaled Matérn 5/2 kernel with one length scale per dimension."""

    variance: Tensor
    """Prior variance at any row."""
    lengths: Tensor
    """Shape dimensions."""

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Covariances between the rows of a (n x dimensions) and of b (m x dimensions)."""
        a, b = a / self.lengths, b / self.lengths
        squares = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T
        scaled = (5 * squares.clamp_min(SMALLEST)).sqrt()
        return self.variance * (1 + scaled + scaled.square() / 3) * (-scaled).exp()


def usual_log_length(dimensions: int) -> float:
    """Centre of the prior on log length scales: distances grow with the root of the dimension.

    The scaling is Hvarfner et al.'s (ICML 2024); half their length predicts spaces of ordered sizes
    better.
    """
    return math.sqrt(2) + 0.5 * math.log(dimensions) - math.log(2)
