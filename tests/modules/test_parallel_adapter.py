"""The contract of `parallel_adapter`."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestParallelAdapter(TinyModule):
    name = "parallel_adapter"
    changes_at_start = False
