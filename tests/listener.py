"""A listener that keeps what a search reports, and can ask it to stop."""

from __future__ import annotations

from dataclasses import dataclass, field

from autopeft.types import TrialRecord


@dataclass
class Listener:
    """Records trials and notes; stops after `stop_after` finished trials."""

    stop_after: int = 10**9
    trials_finished: list[TrialRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fact(self, name: str, text: str) -> None:
        self.notes.append(f"{name} {text}")

    def note(self, text: str) -> None:
        self.notes.append(text)

    def trials(self, done: int, total: int) -> None:
        pass

    def step(self, numbers: list[int], done: int, total: int) -> None:
        pass

    def finished(self, trial: TrialRecord, front: int, hypervolume: float) -> None:
        self.trials_finished.append(trial)

    def stop_requested(self) -> bool:
        return len(self.trials_finished) >= self.stop_after
