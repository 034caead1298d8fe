"""K products with stacked weights, added where their result belongs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autopeft.training.packed_module import PackedModule
from autopeft.types import Site


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


class PackedLowRank(PackedModule):
    """An update of rank r beside a linear: A [K, r, d_in], B [K, d_out, r], maybe more between."""

    A: nn.Parameter
    B: nn.Parameter

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Add the update to the output of the linear."""
        return [model.get_submodule(site.path).register_forward_hook(self._add)]

    def _add(self, module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        hidden = args[0]
        low = torch.bmm(self.slices(hidden), self.A.to(hidden.dtype).transpose(1, 2))
        return add_product(output, self.between(low), self.B.to(low.dtype))

    def between(self, low: torch.Tensor) -> torch.Tensor:
        """What becomes of `A x` [K, rows, r] before B: here the scale alone."""
        return low * self.factor.to(low.dtype)

    def narrow(self, inputs: torch.Tensor | None, outputs: torch.Tensor | None) -> None:
        """Drop columns of A and rows of B."""
        if inputs is not None:
            self.A = nn.Parameter(self.A.detach()[:, :, inputs])
        if outputs is not None:
            self.B = nn.Parameter(self.B.detach()[:, outputs])
