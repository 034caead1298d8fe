"""Parallel adapter beside the feed-forward sublayer (He et al., ICLR 2022, arXiv 2110.04366).

`ffn(x) <- ffn(x) + scaling * up(relu(down(x)))` with x the input of the sublayer; scaling 4, down
as torch's linears and up zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autopeft.training import bottleneck
from autopeft.training.low_rank import add_product
from autopeft.types import LearningRates, PeftModule, Settings, Site


class PackedParallelAdapter(bottleneck.PackedBottleneck):
    """K parallel adapters beside one feed-forward sublayer."""

    _input: torch.Tensor

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Keep what the sublayer's first linear reads; add to what its last linear gives."""
        return [
            model.get_submodule(site.source).register_forward_pre_hook(self._keep),
            model.get_submodule(site.path).register_forward_hook(self._add),
        ]

    def _keep(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._input = args[0]

    def _add(self, module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        low = self.low(self._input)
        del self._input
        return add_product(output, low, self.weight(output.dtype))


def stack(
    site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
) -> PackedParallelAdapter:
    """K configurations of the parallel adapter at one sublayer."""
    return PackedParallelAdapter(
        "parallel_adapter", site, settings, seeds, down=bottleneck.kaiming, up=bottleneck.zero
    )


MODULE = PeftModule(
    label="Parallel adapter",
    paper="arXiv 2110.04366",
    kind="mlp",
    size="bottleneck",
    defaults={"scaling": 4.0},
    count=bottleneck.count,
    stack=stack,
    mergeable=False,
    learning_rates=LearningRates(
        low=1e-4,
        high=6e-3,
        source="5e-5 to 1e-4 in MAM (2110.04366), 1e-4 in AutoPEFT (2301.12132); a proxy of 100 "
        "steps needs more",
    ),
)
