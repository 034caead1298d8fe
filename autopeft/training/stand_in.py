"""A bottleneck adapter with a residual in the place of a whole layer, stacked for K configurations.

Wu et al., Parameter and Computation Efficient Transfer Learning for Vision-Language Pre-trained
Models, NeurIPS 2023 (2309.01479): what a skipped layer would have done is left to `x + f(x)`, which
starts as the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autopeft.errors import UsageError
from autopeft.training import bottleneck
from autopeft.training.packed_module import Undo
from autopeft.types import Settings, Site

Form = tuple[Any, ...] | None
"""What a layer gives beside hidden states, None where it gives these alone."""


class PackedStandIn(bottleneck.PackedBottleneck):
    """K adapters, each in the place of one layer where its configuration skips it."""

    def __init__(
        self, name: str, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(name, site, settings, seeds, down=bottleneck.kaiming, up=bottleneck.zero)
        self._form: list[Form] = []

    def skipping(self) -> list[bool]:
        """Which configurations skip the layer: those that have a module here."""
        return [size > 0 for size in self.sizes]

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Let the layer run for the others only, and for nobody where all skip it."""
        layer = model.get_submodule(site.path)
        run, before = layer.forward, vars(layer).get("forward")

        def forward(*args: Any, **kwargs: Any) -> Any:
            skips = self.skipping()
            if not any(skips):
                return run(*args, **kwargs)
            entered = args[0] if args else kwargs["hidden_states"]
            if all(skips):
                return self._formed(site, self.added_to(entered), run, args, kwargs)
            output = run(*args, **kwargs)
            if isinstance(output, torch.Tensor):
                return self._mixed(skips, entered, output)
            return (self._mixed(skips, entered, output[0]), *output[1:])

        def restore() -> None:
            object.__delattr__(layer, "forward")
            if before is not None:
                object.__setattr__(layer, "forward", before)

        object.__setattr__(layer, "forward", forward)
        return [Undo(restore)]

    def _mixed(
        self, skips: Sequence[bool], entered: torch.Tensor, made: torch.Tensor
    ) -> torch.Tensor:
        """The stand-in's rows for those who skip, and the layer's, bit for bit, for the others."""
        rows = torch.tensor(skips, device=made.device).repeat_interleave(len(made) // self.count)
        return torch.where(rows.view(-1, *[1] * (made.dim() - 1)), self.added_to(entered), made)

    def _formed(
        self, site: Site, hidden: torch.Tensor, run: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Hidden states in the form that the layer gives them, which is seen the first time."""
        if not self._form:
            with torch.no_grad():
                self._form.append(_form(site, run(*args, **kwargs)))
        rest = self._form[0]
        return hidden if rest is None else (hidden, *rest)


def _form(site: Site, output: Any) -> Form:
    """UsageError when a layer gives tensors beside hidden states, as only running it can."""
    if isinstance(output, torch.Tensor):
        return None
    if any(isinstance(value, torch.Tensor) for value in output[1:]):
        raise UsageError(
            f"`{site.name}` cannot be skipped: the layer hands on more than hidden states",
            hint="skip no layers of this model",
        )
    return tuple(output[1:])
