"""The layers below the lowest adapted one: the same for every configuration, so they run once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autopeft.training.packed_module import Undo
from autopeft.training.trunk_cache import Rows, TrunkCache


class Trunk:
    """Runs the lowest layers on the batch's own rows, or takes their output from a cache."""

    def __init__(self, paths: Sequence[str], count: int, cache: TrunkCache | None) -> None:
        """Describe the trunk.

        Args:
            paths: of its layers, lowest first.
            count: K.
            cache: of its outputs, shared between packs.
        """
        self.paths = tuple(paths)
        self.count = count
        self.cache = cache
        self._total = 0
        self._width = 0
        self._rows: Rows | None = None
        self._known: torch.Tensor | None = None
        self._cacheable = cache is not None

    def begin(self, batch: dict[str, torch.Tensor], rows: Rows | None) -> None:
        """Expect a batch of K*B rows, of which `rows` says where they are from."""
        self._total, self._width = batch["input_ids"].shape
        self._rows = rows if self._cacheable else None
        self._known = None
        if self.cache is not None and self._rows is not None and self.paths:
            known = self.cache.get(self._rows, len(self.paths), width=self._width)
            self._known = None if known is None else known.to(batch["input_ids"].device)

    def attach(self, model: nn.Module) -> list[Any]:
        """Put the trunk in place of its layers; gives handles that restore them."""
        layers = [model.get_submodule(path) for path in self.paths]
        return [self._replace(layer, last=layer is layers[-1]) for layer in layers]

    def _replace(self, layer: nn.Module, *, last: bool) -> Undo:
        run = layer.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            if self._known is not None:
                hidden = self._known if last else (args[0] if args else kwargs["hidden_states"])
                return self._repeat(hidden) if last else hidden
            output = run(*self._own_rows(args), **self._own_rows(kwargs))
            self._cacheable &= isinstance(output, torch.Tensor)
            return self._repeat(self._kept(output)) if last else output

        object.__setattr__(layer, "forward", forward)
        return Undo(lambda: object.__delattr__(layer, "forward"))

    def _kept(self, output: Any) -> Any:
        """The trunk's output, cached where it is hidden states and nothing else."""
        if self.cache is None or self._rows is None or not self._cacheable:
            return output
        return self.cache.put(self._rows, len(self.paths), output)

    def _own_rows(self, given: Any) -> Any:
        """The first slice of every tensor that holds all K*B rows; the rest as it is."""
        if isinstance(given, dict):
            return {name: self._own_rows(value) for name, value in given.items()}
        if isinstance(given, tuple):
            return tuple(self._own_rows(value) for value in given)
        if isinstance(given, torch.Tensor) and given.dim() > 1 and given.shape[0] == self._total:
            return given[: self._total // self.count]
        return given

    def _repeat(self, output: Any) -> Any:
        if isinstance(output, torch.Tensor):
            return output.repeat(self.count, *([1] * (output.dim() - 1)))
        return (self._repeat(output[0]), *output[1:])
