"""Memory of a CUDA device: what its libraries hold, and what real training was measured to need."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from autopeft.training.callback import Run, methods
from autopeft.training.checkpointing import checkpointed
from autopeft.training.loop import full_step
from autopeft.training.memory_target import Target, stated_batch
from autopeft.training.pack import Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Task

HOPPER = (9, 0)
ASSUMED_WORKSPACE = 2 * 32 * 2**20
"""Where no device can be asked: 32 MiB for each of two threads, as on Hopper."""


@cache
def workspace_bytes() -> int:
    """What the matrix library keeps for itself after a product, forward and backward."""
    if not torch.cuda.is_available():
        return ASSUMED_WORKSPACE
    torch.cuda.synchronize()
    torch._C._cuda_clearCublasWorkspaces()
    before = torch.cuda.memory_allocated()
    left = torch.ones(64, 64, device="cuda", requires_grad=True)
    (left @ left).sum().backward()
    torch.cuda.synchronize()
    left.grad = None
    del left
    return torch.cuda.memory_allocated() - before


def measure(
    model: nn.Module, pack: Pack, task: Task, *, target: Target, steps: int = 3
) -> tuple[int, int]:
    """Bytes allocated and reserved at the peak of a few real steps on a CUDA device.

    Args:
        model: the frozen base, on the device.
        pack: one job.
        task: its loss.
        target: the batch, and whether layers are checkpointed.
        steps: optimiser steps; the moments exist from the first on.
    """
    device = next(model.parameters()).device
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    optimiser = PackedAdamW(list(pack.parameters()), torch.zeros(pack.count, device=device))
    split = stated_batch(target, torch.zeros(target.rows, dtype=torch.long), device)
    rows = list(range(target.rows))
    run = Run(model, pack, optimiser, task, split, steps, target.rows, [rows] * steps)
    with checkpointed(model, pack.backbone, target.checkpointing), pack.attached(model):
        acting = methods(pack)
        for number in range(steps):
            full_step(run, rows, acting, number=number)
    return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
