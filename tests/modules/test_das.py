"""The contract of `das` where it skips; what it does in training is tested with its callback."""

from __future__ import annotations

from typing import Any

import pytest

from autopeft.training.pack import Pack
from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2"], scope="class")
class TestDas(TinyModule):
    name = "das"
    changes_at_start = True

    def _pack(self, model: Any, size: int) -> Pack:
        pack = super()._pack(model, size)
        for key, layer in list(pack.layers.items()):
            # With no layer left, only the rows that the head reads would reach three units.
            one: Any = layer
            one.skip([pack.sites[key].layer == 1])
            if pack.sites[key].layer != 1:
                del pack.layers[key]
        return pack
