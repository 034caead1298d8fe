"""What a search reports while it runs; the command line decides how it looks."""

from __future__ import annotations

from typing import Protocol

from autopeft.types import TrialRecord


class Progress(Protocol):
    """Listens to a search."""

    def fact(self, name: str, text: str) -> None:
        """A fact about the study, once at the start: `study`, `model`, `data`, `space`, ..."""

    def note(self, text: str) -> None:
        """What is being done now."""

    def trials(self, done: int, total: int) -> None:
        """How many trials are finished, of how many."""

    def step(self, numbers: list[int], done: int, total: int) -> None:
        """Training steps done in the pack of those trials."""

    def finished(self, trial: TrialRecord, front: int, hypervolume: float) -> None:
        """A trial is finished; the front has that many points and covers that share."""

    def stop_requested(self) -> bool:
        """Whether the user asked to stop after the trials that are running."""
