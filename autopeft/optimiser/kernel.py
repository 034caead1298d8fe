"""The covariance of a fitted BoTorch model as one dense matrix, without GPyTorch's machinery."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Kernel:
    """A sum of scaled kernels, each with one length scale per dimension."""

    scales: Tensor
    """Variance of each of the t terms."""
    lengths: Tensor
    """Shape t x dimensions."""
    matern: bool
    """Matérn 5/2, else squared exponential."""

    @property
    def variance(self) -> float:
        """Prior variance at any row."""
        return self.scales.sum().item()

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Covariances between the rows of a (n x dimensions) and of b (m x dimensions)."""
        import torch

        distance = torch.cdist(
            a / self.lengths[:, None],
            b / self.lengths[:, None],
            compute_mode="donot_use_mm_for_euclid_dist",
        )
        if self.matern:
            scaled = math.sqrt(5) * distance
            terms = (1 + scaled + scaled.square() / 3) * (-scaled).exp()
        else:
            terms = (-0.5 * distance.square()).exp()
        return (self.scales[:, None, None] * terms).sum(dim=0)


def additive(module: Any) -> Kernel:
    """The kernel of an `AdditiveMapSaasSingleTaskGP`."""
    import torch

    scales = torch.stack([term.outputscale.detach() for term in module.kernels])
    lengths = torch.cat([term.base_kernel.lengthscale.detach() for term in module.kernels])
    return Kernel(scales, lengths, matern=True)


def single(module: Any) -> Kernel:
    """The kernel of a `SingleTaskGP` with its default covariance."""
    lengths = module.lengthscale.detach()
    return Kernel(lengths.new_ones(1), lengths, matern=False)
