"""What autograd keeps is counted once, and weights are not."""

from __future__ import annotations

import torch

from autopeft.training.saved_bytes import saved_bytes


def test_each_storage_counts_once_and_weights_do_not() -> None:
    weight = torch.ones(5, 3, requires_grad=True)
    hidden = torch.ones(4, 5)
    with saved_bytes([weight]) as saved:
        out = hidden @ weight
        (out * out).sum()
    assert saved.total == 4 * (hidden.numel() + out.numel())


def test_nothing_is_kept_without_gradients() -> None:
    with saved_bytes([]) as saved, torch.no_grad():
        torch.ones(3, requires_grad=True).exp()
    assert saved.total == 0
