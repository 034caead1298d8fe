"""Multiply-adds of one forward pass: of the frozen backbone, and of what a configuration ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from autopeft.training.memory_target import INPUTS, Target, stated_batch
from autopeft.types import Backbone, Measured, PeftModule, Placement, Site


@dataclass
class MultiplyAdds:
    """Counts for one row of `length` tokens; the head is not counted.

    The backbone is run once under torch's counter of matrix products. A site has those of the
    modules that it consists of: an `attention` its projections and its products of queries, keys
    and values, an `mlp` all its linears, a `whole_layer` everything. A module adds what its type
    says, 0 where it can be merged, and takes away the share of its site that it spares.
    """

    model: nn.Module
    backbone: Backbone
    modules: Mapping[str, PeftModule]
    head: Sequence[str]
    length: int
    inputs: Sequence[str] = INPUTS

    def measured(self, placements: Sequence[Placement]) -> dict[str, Measured]:
        """`multiply_adds` with the placements, and `multiply_adds_frozen` without any."""
        total = self.frozen + self.change(placements)
        return {
            "multiply_adds": Measured(total),
            "multiply_adds_frozen": Measured(self.frozen),
        }

    def change(self, placements: Sequence[Placement]) -> int:
        """What the placements add to the backbone's, less what they spare; to a whole number."""
        return sum(self._change(p) for p in placements if p.settings[self.modules[p.module].size])

    def _change(self, placement: Placement) -> int:
        piece, site = self.modules[placement.module], self.backbone.site(placement.site)
        added = 0
        if piece.adds is not None:
            added = piece.adds(site, placement.settings)
        elif not piece.mergeable:
            added = piece.count(site, placement.settings).published
        spared = piece.spares(site, placement.settings) if piece.spares is not None else 0.0
        return added * self.length - round(spared * self.of_site(site))

    @property
    def frozen(self) -> int:
        """The backbone's."""
        return self._counts[""] - sum(self._counts.get(path, 0) for path in self.head)

    def of_site(self, site: Site) -> int:
        """Those of the frozen modules of a site."""
        if site.kind == "layer":
            return 0
        if site.kind == "mlp":
            return sum(self._counts.get(path, 0) for path in self._linears(site, "mlp."))
        inside = self._counts.get(site.path, 0)
        if site.kind != "attention":
            return inside
        rest = (p for p in self._linears(site, "attention.") if not p.startswith(f"{site.path}."))
        return inside + sum(self._counts.get(path, 0) for path in rest)

    def _linears(self, site: Site, role: str) -> list[str]:
        """Paths of the linears of the site's layer with such a role."""
        linears = (s for s in self.backbone.sites if s.kind == "linear" and s.layer == site.layer)
        return [s.path for s in linears if s.role.startswith(role)]

    @cached_property
    def _counts(self) -> dict[str, int]:
        """Path of a module -> its multiply-adds in one pass; the whole model has no path."""
        device = next(self.model.parameters()).device
        target = Target(1, self.length, inputs=tuple(self.inputs))
        batch = stated_batch(target, torch.zeros(1, dtype=torch.long), device).batch([0])
        with _counter() as counter, torch.no_grad():
            self.model(**batch)
        start = f"{type(self.model).__name__}."
        found = {
            name.removeprefix(start): sum(operations.values()) // 2
            for name, operations in counter.get_flop_counts().items()
        }
        return {**found, "": counter.get_total_flops() // 2}


def _counter() -> Any:
    """Torch's counter, with the attention of a CPU, which it does not know."""
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def attention(query: Any, key: Any, value: Any, *rest: Any, **options: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={fused: attention})
