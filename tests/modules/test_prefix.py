"""The contract of `prefix`."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestPrefix(TinyModule):
    name = "prefix"
    changes_at_start = True
