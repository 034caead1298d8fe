"""Ctrl-C in two steps: the first asks the search to stop after its pack, the second stops it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

WORDS = "stopping after this pack; press Ctrl-C again to stop now"


class Interrupt:
    """While entered, turns the first Ctrl-C into a request if there is work worth finishing."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self.requested = False
        self.begun = False
        """Whether a pack is in training: before that there is nothing to wait for."""
        self._announce = announce
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested or not self.begun:
            raise KeyboardInterrupt
        self.requested = True
        self._announce(WORDS)
