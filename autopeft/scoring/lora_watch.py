"""Watch what LoRA adds to every linear, forward pass by forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from autopeft.training.handles import held
from autopeft.training.pack import Pack


@dataclass(frozen=True)
class Seen:
    """One linear in one forward pass, token by token."""

    site: str
    frozen: torch.Tensor
    """What the frozen linear gives, [K, tokens, d_out]."""
    update: torch.Tensor
    """What LoRA adds, [K, tokens, d_out]."""
    real: torch.Tensor
    """1 for a token, 0 for padding, [K, tokens, 1]."""


@contextmanager
def watched(model: nn.Module, pack: Pack, see: Callable[[Seen], None]) -> Iterator[None]:
    """Meanwhile `see` gets every linear of the pack; open it before the pack is attached."""
    mask: list[torch.Tensor] = []

    def keep_mask(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        mask[:] = [kwargs["attention_mask"]]

    def watch(name: str, layer: Any) -> Any:
        def forward(module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
            with torch.no_grad():
                hidden = layer.slices(args[0])
                low = torch.bmm(hidden, layer.A.to(hidden.dtype).transpose(1, 2))
                scaled = low * layer.factor.to(low.dtype)
                update = torch.bmm(scaled, layer.B.to(low.dtype).transpose(1, 2))
                real = mask[0].reshape(pack.count, -1, 1).to(update.dtype)
                see(Seen(name, layer.slices(output), update, real))

        return forward

    handles = [model.register_forward_pre_hook(keep_mask, with_kwargs=True)]
    for key, layer in pack.layers.items():
        target = model.get_submodule(pack.sites[key].path)
        handles.append(target.register_forward_hook(watch(pack.sites[key].name, layer)))
    with held(handles):
        yield
