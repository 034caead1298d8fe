"""Attention without data takes the kernel that it takes with data."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

FLASH = 1
"""`SDPBackend.FLASH_ATTENTION`."""
LONG = 2**12
"""Longer rows choose the same kernel as rows of this length."""
KINDS = torch.bool, torch.float16, torch.bfloat16, torch.float32, torch.float64
ROWS = {kind: torch.empty(LONG, dtype=kind) for kind in KINDS}
"""Made beforehand: what a recording allocates would be counted."""


class FusedAttention(TorchFunctionMode):
    """Inside, attention on the meta device runs the kernel that torch would choose on a CPU.

    By itself the meta device always takes the plain products, which keep the attention weights.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Send attention to its fused kernel, and leave the rest as it is."""
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            return _attention(*args, **kwargs)
        return func(*args, **kwargs)


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> torch.Tensor:
    given = {"dropout_p": dropout_p, "is_causal": is_causal, **options}
    if _choice(query, key, value, attn_mask, **given) != FLASH:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask, **given)
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    bias, scale = _bias(attn_mask, query), options.get("scale")
    output: torch.Tensor
    output, _ = fused(query, key, value, dropout_p, is_causal, attn_mask=bias, scale=scale)
    return output


def _choice(*tensors: torch.Tensor | None, **given: Any) -> int:
    """Number of the kernel for query, key, value and mask."""
    choose: Any = torch._fused_sdp_choice
    chosen: int = choose(
        *(None if tensor is None else _shadow(tensor) for tensor in tensors), **given
    )
    return chosen


def _bias(mask: torch.Tensor | None, query: torch.Tensor) -> torch.Tensor | None:
    """The mask as what is added to the products."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    hidden = torch.scalar_tensor(-torch.inf, dtype=query.dtype, device=query.device)
    return torch.where(mask, 0.0, hidden)


def _shadow(tensor: torch.Tensor) -> torch.Tensor:
    """A CPU tensor of that shape that holds one row of it."""
    shape = [min(extent, LONG) for extent in tensor.shape]
    return ROWS[tensor.dtype][: shape[-1]].expand(shape)
