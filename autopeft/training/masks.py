"""Masks on the heads of an attention or the neurons of a feed-forward sublayer, one number each.

A mask multiplies what the part hands to the linear that reads all parts. A key/value head is one
part with the query heads that read it. Masks start at 1; a mask of 0 leaves its part out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autopeft.sites.parts import known_parts
from autopeft.training.pack import Pack
from autopeft.training.packed_module import PackedModule, sizes_of
from autopeft.types import Count, Settings, Site


def count(site: Site, settings: Settings) -> Count:
    """Held: one per part. Published: none, as parts are left out or stay as they were."""
    return Count(known_parts(site) if settings["cut"] else 0, 0)


def spared(site: Site, settings: Settings) -> float:
    """Share of a site that is cut: what the percentage says, but never its last part."""
    parts = known_parts(site)
    return min(number(parts * int(settings["cut"]) / 100), parts - 1) / parts


def number(share: float) -> int:
    """Whole parts in a share of them, which may be lower by rounding: half of 12 is 6."""
    return math.floor(share + 1e-6)


class PackedMasks(PackedModule):
    """Masks [K, parts]; `cut` is the percentage that is set to 0 in training, at most."""

    masks: nn.Parameter
    used: torch.Tensor
    """[K, 1], False where a configuration has no masks here: its parts stay as they are."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(sizes_of(settings, "cut"))
        self.parts = known_parts(site)
        self.resized = False
        """Whether the parts that are cut are no longer there."""
        self.stack("masks", [torch.full((self.parts,), float(size > 0)) for size in self.sizes])
        used = torch.tensor([[size > 0] for size in self.sizes])
        self.register_buffer("used", used, persistent=False)

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Multiply what the parts hand on."""
        return [model.get_submodule(site.reader).register_forward_pre_hook(self._weigh)]

    def _weigh(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self.resized:
            return None
        hidden = args[0]
        masks = torch.where(self.used, self.masks, 1.0).to(hidden.dtype)
        parts = hidden.reshape(self.count, -1, self.parts, hidden.shape[-1] // self.parts)
        weighed = parts * masks[:, None, :, None]
        return (weighed.view(hidden.shape), *args[1:])


def cuts(pack: Pack, index: int = 0) -> dict[str, list[int]]:
    """Site -> numbers of the heads or neurons that one configuration has cut."""
    return {
        pack.sites[key].name: torch.nonzero(layer.masks[index] == 0).flatten().tolist()
        for key, layer in pack.layers.items()
        if isinstance(layer, PackedMasks) and layer.sizes[index]
    }
