"""The C library's heap, told to keep what is freed: the next step needs the same memory again.

By default glibc hands large blocks back to the system when they are freed, so that every tensor of
every step is paid for in fresh pages.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of mallopt(3)."""
KEPT = 2**30
"""Bytes: blocks up to this size come from the heap, and so much of its free end is kept."""


def keep_freed_memory() -> bool:
    """Set both for this process; False where the C library has no such thing."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(
        mallopt(option, KEPT) for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD)
    )
