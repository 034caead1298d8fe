"""The contract of `cut_heads`; what it does in training is tested with its callback."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestCutHeads(TinyModule):
    name = "cut_heads"
