"""What a linear kept in 8 or 4 bits allocates, after bitsandbytes (Dettmers et al., 2022, 2023).

Stands for `Linear8bitLt` (arXiv 2208.07339: int8 weights, one float32 scale per row, activations
quantised for the product) and `Linear4bit` (arXiv 2305.14314: two weights a byte, one float32 scale
per 64, without double quantisation), on tensors without data. Both rebuild the whole weight in the
type of the activations for the backward pass, the latter for the forward pass too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

BLOCK = 64


class QuantisedLinear(nn.Module):
    """A frozen linear in 8 or 4 bits; has the shapes and lifetimes of one, not its values."""

    def __init__(self, linear: nn.Linear, *, bits: int) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bits = bits
        packed, scales = packed_bytes(linear, bits=bits)
        self.register_buffer("packed", torch.empty(packed, dtype=torch.int8))
        self.register_buffer("scales", torch.empty(scales // 4, dtype=torch.float32))
        self.bias = linear.bias

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """[..., in] -> [..., out]."""
        output: torch.Tensor = _Product.apply(hidden, self)  # type: ignore[no-untyped-call]
        return output if self.bias is None else output + self.bias


class _Product(torch.autograd.Function):
    """The product with the rebuilt weight; nothing is saved, as the weight is frozen."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, linear: QuantisedLinear) -> torch.Tensor:
        ctx.linear = linear
        if linear.bits == 4:
            return hidden @ _rebuilt(linear, hidden).t()
        rows = hidden.reshape(-1, hidden.shape[-1])
        quantised, scale = rows.to(torch.int8), rows.amax(dim=1)
        whole = rows.new_empty((len(rows), linear.out_features), dtype=torch.int32)
        output = whole.to(hidden.dtype)
        del quantised, scale
        return output.view(*hidden.shape[:-1], linear.out_features)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return gradients[0] @ _rebuilt(ctx.linear, gradients[0]), None


def _rebuilt(linear: QuantisedLinear, like: torch.Tensor) -> torch.Tensor:
    return like.new_empty((linear.out_features, linear.in_features))


def packed_bytes(linear: nn.Linear, *, bits: int) -> tuple[int, int]:
    """Bytes of the weights and of their scales."""
    count = linear.weight.numel()
    return (count, 4 * linear.out_features) if bits == 8 else (count // 2, 4 * (count // BLOCK))


def quantise(layer: nn.Module, *, bits: int) -> None:
    """Put quantised linears in the place of the layer's own."""
    for path, module in list(layer.named_modules()):
        if isinstance(module, nn.Linear):
            owner, _, name = path.rpartition(".")
            setattr(layer.get_submodule(owner), name, QuantisedLinear(module, bits=bits))
