"""The contract of `lora`."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestLora(TinyModule):
    name = "lora"
    changes_at_start = False
