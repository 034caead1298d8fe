"""Linear algebra on one thread, and as it was afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from autopeft.optimiser.one_thread import one_thread

FIRST = """
import json
from threadpoolctl import threadpool_info
from autopeft.optimiser.one_thread import one_thread
with one_thread():
    import scipy.optimize
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
print(json.dumps([pool["num_threads"] for pool in blas]))
"""
"""A process in which SciPy is first needed under the limit, as in the first fit of a search."""


def threads() -> list[int]:
    """Of torch, then of every BLAS library that is loaded."""
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [torch.get_num_threads(), *(pool["num_threads"] for pool in blas)]


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Two for each of them, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(2, user_api="blas"):
        yield
    torch.set_num_threads(before)


def test_torch_and_every_blas_library_have_one_thread() -> None:
    assert set(threads()) == {2}
    with one_thread():
        assert len(threads()) > 1
        assert set(threads()) == {1}
    assert set(threads()) == {2}


def test_one_within_another_ends_with_the_outer() -> None:
    with one_thread():
        with one_thread():
            pass
        assert set(threads()) == {1}
    assert set(threads()) == {2}


def test_an_error_within_leaves_threads_as_they_were() -> None:
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018
    assert set(threads()) == {2}


def test_scipy_is_limited_where_nothing_has_loaded_it_before() -> None:
    ours = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    ended = subprocess.run(
        [sys.executable, "-c", FIRST], env={**os.environ, **ours}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert set(json.loads(ended.stdout)) == {1}
