"""Data sets: reading a source, guessing its columns and carving three disjoint splits."""

from autopeft.data.loading import load
from autopeft.data.options import DataOptions

__all__ = ["DataOptions", "load"]
