"""The stacked parameters of K configurations at one site, sizes padded with zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from autopeft import digest
from autopeft.errors import UsageError
from autopeft.types import Settings, Site

Padded = int | tuple[int, ...]


class PackedModule(nn.Module):
    """K configurations of one PEFT module type at one site.

    Every parameter has K as its leading dimension. A parameter whose size differs between the
    configurations is padded with zeros; the module's arithmetic must give padding a gradient of
    exactly zero, so that it stays zero under any elementwise optimiser.
    """

    factor: torch.Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.padded: dict[str, tuple[int, ...]] = {}
        self.remembered: list[str] = []
        self.shipped: list[str] = []

    @property
    def count(self) -> int:
        """K, the number of configurations."""
        return len(self.sizes)

    def stack(self, name: str, tensors: Sequence[torch.Tensor], *, padded: Padded = ()) -> None:
        """Register a parameter stacked from one tensor per configuration.

        Args:
            name: of the parameter.
            tensors: one per configuration; all of one shape but for the padded dimensions.
            padded: the dimensions of one tensor whose length is the configuration's size.
        """
        self.register_parameter(name, nn.Parameter(self._stacked(name, tensors, padded)))

    def remember(self, name: str, tensors: Sequence[torch.Tensor], *, padded: Padded = ()) -> None:
        """Register what a training-time method keeps between steps, given as in `stack`.

        It is not trained and not exported, but goes with its configuration into another pack.
        """
        self.register_buffer(name, self._stacked(name, tensors, padded), persistent=False)
        self.remembered.append(name)

    def ship(
        self,
        name: str,
        tensors: Sequence[torch.Tensor],
        *,
        padded: Padded = (),
        padding: int = 0,
    ) -> None:
        """Register what is exported but has no gradient, given as in `stack`."""
        stacked = self._stacked(name, tensors, padded, padding)
        self.register_buffer(name, stacked, persistent=False)
        self.shipped.append(name)

    def _stacked(
        self, name: str, tensors: Sequence[torch.Tensor], padded: Padded, padding: int = 0
    ) -> torch.Tensor:
        shape = list(tensors[0].shape)
        if padded != ():
            self.padded[name] = padded if isinstance(padded, tuple) else (padded,)
        for dimension in self.padded.get(name, ()):
            shape[dimension] = max(self.sizes)
        stacked = tensors[0].new_full((len(tensors), *shape), padding)
        for index, tensor in enumerate(tensors):
            self._view(stacked, name, index).copy_(tensor)
        return stacked

    def _view(self, stacked: torch.Tensor, name: str, index: int) -> torch.Tensor:
        one = stacked[index]
        for dimension in self.padded.get(name, ()):
            one = one.narrow(dimension, 0, self.sizes[index])
        return one

    def export(self, index: int) -> dict[str, torch.Tensor]:
        """The tensors of one configuration, padding removed, on the CPU."""
        return {
            name: self._view(tensor.detach(), name, index).cpu().clone()
            for name, tensor in self._exported()
        }

    def restore(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `export`."""
        with torch.no_grad():
            for name, tensor in self._exported():
                self._view(tensor, name, index).copy_(tensors[name])

    def _exported(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield from self.named_parameters(recurse=False)
        yield from ((name, self.get_buffer(name)) for name in self.shipped)

    def settle(self) -> None:
        """Free what only training needs."""

    def memory(self, index: int) -> dict[str, torch.Tensor]:
        """What is remembered of one configuration, padding removed, on the CPU."""
        return {
            name: self._view(self.get_buffer(name), name, index).cpu().clone()
            for name in self.remembered
        }

    def recall(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `memory`."""
        for name in self.remembered:
            self._view(self.get_buffer(name), name, index).copy_(tensors[name])

    @property
    def real(self) -> torch.Tensor:
        """Positions below the size of each configuration, [K, largest size]: no padding."""
        sizes = torch.tensor(self.sizes, device=self.factor.device).unsqueeze(1)
        return torch.arange(max(self.sizes), device=sizes.device) < sizes

    def slices(self, hidden: torch.Tensor) -> torch.Tensor:
        """Rows [K*B, ..., d], slice-major, as one matrix per configuration [K, B*..., d]."""
        return hidden.reshape(self.count, -1, hidden.shape[-1])

    def scale(self, values: Sequence[float]) -> None:
        """Register one factor per configuration, [K, 1, 1]; 0 where the module is off."""
        factors = [value if size else 0.0 for value, size in zip(values, self.sizes, strict=True)]
        self.register_buffer("factor", torch.tensor(factors).view(-1, 1, 1), persistent=False)

    def narrow(self, inputs: torch.Tensor | None, outputs: torch.Tensor | None) -> None:
        """Follow a linear, or the keys of an attention, of which only some numbers stay.

        Args:
            inputs: indices of the inputs that stay; None for all.
            outputs: the same of the outputs.

        Raises:
            UsageError: the module cannot.
        """
        raise UsageError(
            f"`{type(self).__name__}` cannot follow a linear that is resized",
            hint="leave the model as it is: what is cut is masked",
        )

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Hook the site; gives handles whose `remove()`, in reverse order, restores the model."""
        raise NotImplementedError


def sizes_of(settings: Sequence[Settings | None], name: str) -> list[int]:
    """The size of each configuration, 0 where it has no module here."""
    return [int(s[name]) if s is not None else 0 for s in settings]


def generators(site: Site, module: str, seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator per configuration: depends on its seed and the site, never on its place."""
    return [
        torch.Generator().manual_seed(digest.seed_of(seed, site.name, module)) for seed in seeds
    ]


@dataclass
class Undo:
    """A handle that runs a function once when removed."""

    action: Callable[[], None]

    def remove(self) -> None:
        """Undo."""
        self.action()
