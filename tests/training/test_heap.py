"""What is freed is used again instead of being handed back."""

from __future__ import annotations

import subprocess
import sys

import pytest

COUNT = """
import resource, torch
from autopeft.training import heap
def faults():
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            torch.ones(4_000_000).add_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
plain = faults()
assert heap.keep_freed_memory()
print(plain, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other heaps")
def test_large_blocks_cost_no_fresh_pages() -> None:
    plain, kept = map(int, subprocess.check_output([sys.executable, "-c", COUNT]).split())
    assert kept < 200
    assert plain >= kept


def test_where_there_is_none_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    from autopeft.training import heap

    monkeypatch.setattr(sys, "platform", "win32")
    assert not heap.keep_freed_memory()
