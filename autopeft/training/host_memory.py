"""How the process keeps memory that torch frees on the CPU."""

from __future__ import annotations

import ctypes
import sys

# Parameters of mallopt(3) in <malloc.h> of glibc.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let freed blocks be used again instead of going back to the system; True where possible.

    By default glibc maps every block above 32 MB anew, and each of its pages costs a fault at the
    first touch. The activations of a pack are such blocks, freed and wanted again in every step.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
