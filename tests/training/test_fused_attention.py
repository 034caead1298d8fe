"""Attention on the meta device allocates what attention on a CPU does."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch.nn import functional

from autopeft.training.fused_attention import FusedAttention
from autopeft.training.live_storages import Event, LiveStorages
from autopeft.training.meta_kernels import MetaKernels

ROWS, HEADS, LENGTH, WIDTH = 2, 4, 8, 16


def tape(device: str, mask: torch.dtype | None, key_heads: int) -> list[tuple[int, int]]:
    """(sign, bytes) of what attention forward and backward allocates and releases."""
    shape = (ROWS, HEADS, LENGTH, WIDTH)
    query = torch.zeros(shape, device=device, requires_grad=True)
    key, value = (torch.zeros(ROWS, key_heads, LENGTH, WIDTH, device=device) for _ in range(2))
    given = None if mask is None else torch.ones(1, 1, LENGTH, LENGTH, dtype=mask, device=device)
    meta = device == "meta"
    live = LiveStorages(MetaKernels()) if meta else LiveStorages()
    with FusedAttention() if meta else nullcontext(), live:
        output = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=given, enable_gqa=key_heads < HEADS
        )
        torch.autograd.backward(output, torch.zeros_like(output))
        del output
    return [(e.sign, e.bytes) for e in live.tape if isinstance(e, Event)]


@pytest.mark.parametrize("mask", [None, torch.bool, torch.float32])
@pytest.mark.parametrize("key_heads", [HEADS, HEADS // 2])
def test_attention_allocates_as_on_a_cpu(mask: torch.dtype | None, key_heads: int) -> None:
    real = tape("cpu", mask, key_heads)
    assert sorted(tape("meta", mask, key_heads)) == sorted(real)
    weights = ROWS * HEADS * LENGTH * LENGTH * 4
    assert ((1, weights) in real) == (key_heads < HEADS), "only unequal heads keep the weights"
