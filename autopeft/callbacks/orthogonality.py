"""The regulariser of AdaLoRA and its relatives: directions pulled towards orthonormal ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autopeft.training.low_rank import PackedLowRank


@torch.no_grad()
def add_orthogonality(
    layers: Sequence[PackedLowRank], active: Sequence[torch.Tensor], weight: float
) -> None:
    """Add to the gradients that of `weight` times the mean of |A A^T - I| and |B^T B - I|.

    The norm is Frobenius', the mean that over the matrices of a configuration. In closed form: the
    gradient of |M| with M = A A^T - I is 2 M A / |M|, which needs no memory but r x r.

    Args:
        layers: those of the method.
        active: the directions that it concerns, [K, r] for each layer.
        weight: gamma.
    """
    if not weight:
        return
    placed = torch.tensor([layer.sizes for layer in layers]).count_nonzero(0)
    shares = (weight / (2 * placed).clamp(min=1)).to(layers[0].A)
    for layer, mask in zip(layers, active, strict=True):
        real = mask.to(layer.A.dtype)
        for matrix, rows in ((layer.A, True), (layer.B, False)):
            assert matrix.grad is not None
            gram = torch.bmm(*_factors(matrix, rows))
            gram = (gram - torch.eye(gram.shape[1]).to(gram)) * real.unsqueeze(1)
            gram = gram * real.unsqueeze(2)
            norm = torch.linalg.matrix_norm(gram).clamp(min=torch.finfo(gram.dtype).tiny)
            gram *= (2 * shares / norm).view(-1, 1, 1)
            if rows:
                matrix.grad.baddbmm_(gram, matrix)
            else:
                matrix.grad.baddbmm_(matrix, gram)


def _factors(matrix: torch.Tensor, rows: bool) -> tuple[torch.Tensor, torch.Tensor]:
    turned = matrix.transpose(1, 2)
    return (matrix, turned) if rows else (turned, matrix)
