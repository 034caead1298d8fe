"""What several views ask of a study is worked out once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from autopeft.types import Results

Answer = TypeVar("Answer")


def once(question: Callable[[Results], Answer]) -> Callable[[Results], Answer]:
    """The function, with the answer about each study kept for as long as the study is."""
    kept: dict[int, tuple[weakref.ref[Results], Answer]] = {}

    @wraps(question)
    def answered(results: Results) -> Answer:
        # By identity: a study holds mappings, so it has no hash, and comparing two would be slow.
        key = id(results)
        if key not in kept:
            kept[key] = (weakref.ref(results, lambda _: kept.pop(key, None)), question(results))
        return kept[key][1]

    return answered
