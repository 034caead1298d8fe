"""Serial adapter after the feed-forward sublayer, its residual and norm (Pfeiffer style).

`h <- h + scaling * up(relu(down(h)))` on the output of the layer, the placement of AutoPEFT
(arXiv 2301.12132); normal(0, 0.02) initial weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autopeft.training import bottleneck
from autopeft.types import LearningRates, PeftModule, Settings, Site


class PackedSerialAdapter(bottleneck.PackedBottleneck):
    """K serial adapters on the output of one layer."""

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Add the adapter to the layer's hidden states."""
        return [model.get_submodule(site.path).register_forward_hook(self._add)]

    def _add(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, torch.Tensor):
            return self.added_to(output)
        return (self.added_to(output[0]), *output[1:])


def stack(
    site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
) -> PackedSerialAdapter:
    """K configurations of the serial adapter at one layer."""
    draw = bottleneck.normal
    return PackedSerialAdapter("serial_adapter", site, settings, seeds, down=draw, up=draw)


MODULE = PeftModule(
    label="Serial adapter",
    paper="arXiv 2005.00247",
    kind="layer",
    size="bottleneck",
    defaults={"scaling": 1.0},
    count=bottleneck.count,
    stack=stack,
    mergeable=False,
    learning_rates=LearningRates(
        low=1e-4,
        high=6e-3,
        source="3e-5, 3e-4 and 3e-3 tried in Houlsby et al. (1902.00751), 1e-4 in AdapterFusion "
        "(2005.00247) and AutoPEFT (2301.12132); a proxy of 100 steps needs more",
    ),
)
