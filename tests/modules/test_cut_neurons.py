"""The contract of `cut_neurons`; what it does in training is tested with its callback."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestCutNeurons(TinyModule):
    name = "cut_neurons"
