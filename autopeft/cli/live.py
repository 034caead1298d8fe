"""Progress of a search: a block of three lines in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import time
from typing import Any, Protocol

from autopeft.cli import output
from autopeft.cli.interrupt import Interrupt
from autopeft.cli.tally import Tally
from autopeft.types import TrialRecord

SILENCE = 10.0
"""Seconds without a line after which a plain log says what is being done."""
BAR = 30


class Display(Protocol):
    """How a search's progress looks; closed before anything else is printed."""

    tally: Tally

    def changed(self, line: str) -> None:
        """Something is being done."""

    def finished(self, line: str) -> None:
        """A trial is finished."""

    def announce(self, line: str) -> None:
        """Say something from within a signal handler."""

    def close(self) -> None:
        """Draw no more."""


class Listener:
    """Keeps count of a search, and hands what is new to a display and to a JSON stream."""

    def __init__(self, display: Display, *, as_json: bool) -> None:
        self._display = display
        self._tally = display.tally
        self._as_json = as_json
        self._facts: set[str] = set()
        self.interrupt = Interrupt(display.announce)

    def fact(self, name: str, text: str) -> None:
        """A fact about the study, printed once."""
        if name not in self._facts:
            self._facts.add(name)
            self._tally.fact(name, text)

    def note(self, text: str) -> None:
        """What is being done now."""
        self._tally.doing = text
        self._display.changed(text)

    def trials(self, done: int, total: int) -> None:
        """How many trials are finished, of how many."""
        self._tally.count(done, total)

    def step(self, numbers: list[int], done: int, total: int) -> None:
        """Training steps done in the pack of those trials."""
        self.interrupt.begun = True
        self._tally.doing = f"{_trials(numbers)}  step {done}/{total}"
        self._display.changed(self._tally.doing)

    def finished(self, trial: TrialRecord, front: int, hypervolume: float) -> None:
        """A trial is finished."""
        self._tally.add(trial, front, hypervolume)
        if self._as_json:
            from autopeft.cli.records import record

            output.json_line({"schema": "autopeft.trial/1", **record(trial)})
        self._display.finished(self._tally.line(trial))

    def stop_requested(self) -> bool:
        """Whether Ctrl-C was pressed once."""
        return self.interrupt.requested

    def close(self) -> None:
        """Draw no more."""
        self._display.close()


def listener(*, quiet: bool, as_json: bool) -> Listener:
    """The progress that suits the terminal and the options."""
    tally = Tally(quiet=quiet)
    if quiet:
        return Listener(Silent(tally), as_json=as_json)
    display: Display = Block(tally) if output.can_draw() else Lines(tally)
    return Listener(display, as_json=as_json)


class Silent:
    """No progress; only the answer to Ctrl-C."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def changed(self, line: str) -> None:
        """Nothing."""

    def finished(self, line: str) -> None:
        """Nothing."""

    def announce(self, line: str) -> None:
        """Straight to the file descriptor: a handler must not enter a buffer that is in use."""
        os.write(2, f"\n{line}\n".encode())

    def close(self) -> None:
        """Nothing."""


class Lines(Silent):
    """One line per finished trial, and at most one in ten seconds of silence."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._last = time.monotonic()

    def changed(self, line: str) -> None:
        """A line, if there was none for a while."""
        if time.monotonic() - self._last >= SILENCE:
            self._say(f"{self.tally.position()}  {line}".lstrip())

    def finished(self, line: str) -> None:
        """The trial's line."""
        self._say(line)

    def _say(self, line: str) -> None:
        self._last = time.monotonic()
        output.note(line)


class Block:
    """Three lines that are drawn again and again: bar, current work, front."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._live: Any = None
        self._message = ""

    def changed(self, line: str) -> None:
        """Start drawing, if not yet done; the block redraws itself."""
        if self._live is None:
            import sys

            from rich.live import Live

            console = output.console(sys.stderr)
            self._live = Live(self, console=console, refresh_per_second=4, transient=True)
            self._live.start()

    def finished(self, line: str) -> None:
        """The block shows it."""
        self.changed(line)

    def announce(self, line: str) -> None:
        """Shown with the next redraw: a handler must not draw."""
        self._message = line

    def close(self) -> None:
        """Take the block away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __rich__(self) -> Any:
        from rich.text import Text

        tally = self.tally
        filled = round(BAR * tally.share)
        bar = "\N{BOX DRAWINGS HEAVY HORIZONTAL}" * filled
        rest = "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (BAR - filled)
        first = f" {tally.position() or 'preparing'}  {bar}{rest}  {tally.times()}"
        lines = [first, f" {self._message or tally.doing}", f" {tally.standing()}"]
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")


def _trials(numbers: list[int]) -> str:
    """Such as `trials 8-15` or `trials 3, 5, 9`."""
    ordered = sorted(numbers)
    if len(ordered) == 1:
        return f"trial {ordered[0]}"
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"trials {ordered[0]}-{ordered[-1]}"
    few = ", ".join(map(str, ordered[:4]))
    return f"trials {few} and {len(ordered) - 4} more" if len(ordered) > 4 else f"trials {few}"
