"""What is known of a running search, in words: how far, how long, how good."""

from __future__ import annotations

import time

from autopeft.cli import output
from autopeft.describe import describe
from autopeft.format import measured
from autopeft.types import Backbone, Measured, Objective, TrialRecord

UNKNOWN = Backbone("", "", (), (), 0, 0)
"""Stands for a backbone where only the modules of a configuration are named."""
RECENT = 10


class Tally:
    """Counts trials and remembers the best ones."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.doing = "starting"
        self._quiet = quiet
        self._done = self._total = 0
        self._before = 0
        self._started: float | None = None
        self._front = 0
        self._best: TrialRecord | None = None
        self._smallest: TrialRecord | None = None
        self._hypervolume: list[float] = []
        self._objectives: dict[str, Objective] = {}

    def fact(self, name: str, text: str) -> None:
        """Print a fact about the study."""
        if not self._quiet:
            output.fact(name, text)

    def count(self, done: int, total: int) -> None:
        """Take note of how many trials are finished."""
        if self._started is None:
            self._started = time.monotonic()
            self._before = done
            if done:
                self.fact("resumed", f"{done} of {total} trials are done")
        self._done, self._total = done, total

    def add(self, trial: TrialRecord, front: int, hypervolume: float) -> None:
        """Take note of a finished trial."""
        self._front = front
        self._hypervolume.append(hypervolume)
        self._done = max(self._done, self._before + len(self._hypervolume))
        if trial.state == "complete" and trial.feasible:
            self._best = self._better(trial, self._best, 0)
            self._smallest = self._better(trial, self._smallest, 1)

    @property
    def share(self) -> float:
        """Share of the trials that is finished."""
        return min(1.0, self._done / self._total) if self._total else 0.0

    def position(self) -> str:
        """Such as `62/100`; empty while the number of trials is not known."""
        return f"{self._done}/{self._total}" if self._total else ""

    def times(self) -> str:
        """Such as `41 min, 25 min left`."""
        if self._started is None:
            return ""
        spent = time.monotonic() - self._started
        done, left = self._done - self._before, self._total - self._done
        if done < 1 or left < 1:
            return duration(spent)
        return f"{duration(spent)}, {duration(spent / done * left)} left"

    def standing(self) -> str:
        """Such as `front 9  best 89.7 \N{PLUS-MINUS SIGN} 0.3 %  smallest 0.02 %`."""
        parts = [f"front {self._front}"] if self._hypervolume else []
        for word, trial, index in (("best", self._best, 0), ("smallest", self._smallest, 1)):
            if trial is not None and index < len(trial.objectives):
                parts.append(f"{word} {self._value(trial, index)}")
        if self._hypervolume:
            now = self._hypervolume[-1]
            gain = now - self._hypervolume[-min(RECENT + 1, len(self._hypervolume))]
            parts.append(f"hypervolume {now:.3f} ({gain:+.3f} in {RECENT} trials)")
        return "  ".join(parts)

    def line(self, trial: TrialRecord) -> str:
        """A finished trial on one line."""
        place = f"{self.position()}  trial {trial.number}"
        if trial.state == "stopped":
            return f"{place} {trial.message}"
        if trial.state != "complete":
            return f"{place} failed: {trial.message or 'no reason was recorded'}"
        values = [
            f"{self._objective(name).label.lower()} {self._value(trial, index)}"
            for index, name in enumerate(trial.objectives)
        ]
        modules = describe(trial.configuration, UNKNOWN)
        over = "" if trial.feasible else "  over the limit"
        return "  ".join([place, *values, modules, f"front {self._front}"]) + over

    # --- details ------------------------------------------------------------------------------

    def _value(self, trial: TrialRecord, index: int) -> str:
        name, value = list(trial.objectives.items())[index]
        return measured(value, self._objective(name).unit)

    def _objective(self, name: str) -> Objective:
        if name not in self._objectives:
            from autopeft import catalog

            self._objectives[name] = catalog.objectives.load(name)
        return self._objectives[name]

    def _better(self, trial: TrialRecord, other: TrialRecord | None, index: int) -> TrialRecord:
        if other is None or index >= len(trial.objectives):
            return trial
        name = list(trial.objectives)[index]
        sign = 1 if self._objective(name).direction == "maximize" else -1
        values: list[Measured] = [t.objectives[name] for t in (trial, other)]
        return trial if sign * values[0].value > sign * values[1].value else other


def duration(seconds: float) -> str:
    """Such as `41 s`, `3 min` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min".removesuffix(" 0 min")
