"""The contract of `triadapt`; what it does in training is tested with its callback."""

from __future__ import annotations

import pytest

from tests.modules.contract import TinyModule


@pytest.mark.parametrize("architecture", ["bert", "gpt2"], scope="class")
class TestTriAdapt(TinyModule):
    name = "triadapt"
    changes_at_start = False
