"""Linear algebra on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch, NumPy and SciPy on one thread: cheaper for small matrices, the same sums every time.

    It holds for the whole process and is undone at the end.
    """
    import scipy.linalg  # noqa: F401  # a limit holds for libraries that are loaded before it
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
