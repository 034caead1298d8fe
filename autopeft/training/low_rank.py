"""K products with stacked weights, added where their result belongs."""

from __future__ import annotations

from typing import Any

import torch


class _AddProduct(torch.autograd.Function):
    """`output += low @ weight^T` slice by slice, in the memory of `output`.

    A sum of its own would read and write the largest tensors of a layer once more, which costs
    more than the product itself.
    """

    @staticmethod
    def forward(
        ctx: Any, output: torch.Tensor, low: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(low, weight)
        # Detached, because autograd copies the gradient of a view that is changed in place.
        result = output.detach()
        rows = result.view(len(weight), -1, output.shape[-1])
        rows.baddbmm_(low, weight.transpose(1, 2))
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        low, weight = ctx.saved_tensors
        rows = gradient.reshape(len(weight), -1, gradient.shape[-1])
        return gradient, torch.bmm(rows, weight), torch.bmm(rows.transpose(1, 2), low)


def add_product(output: torch.Tensor, low: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`output` plus the product of each configuration, in place.

    Args:
        output: rows [K*B, ..., d_out], contiguous, that no other operation needs as they were.
        low: [K, B*..., r].
        weight: [K, d_out, r].
    """
    result: torch.Tensor = _AddProduct.apply(output, low, weight)  # type: ignore[no-untyped-call]
    return result
