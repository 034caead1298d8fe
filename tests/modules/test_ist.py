"""The contract of `ist`; what it does in training is tested with its callback."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2"], scope="class")
class TestIst(TinyModule):
    name = "ist"
    changes_at_start = False
