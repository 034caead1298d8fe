"""Linear algebra on one thread, and as it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from autopeft.optimiser.one_thread import one_thread


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
