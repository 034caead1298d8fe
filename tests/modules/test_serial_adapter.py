"""The contract of `serial_adapter`."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestSerialAdapter(TinyModule):
    name = "serial_adapter"
    changes_at_start = True
