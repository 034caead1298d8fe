"""Do something again whenever a study's file has changed, until its search is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autopeft.types import Results

PAUSE = 2.0
"""Seconds between two looks at the files."""


def follow(
    paths: Sequence[Path],
    write: Callable[[bool], None],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Call `write` after each change, and with True a last time when every search is over."""
    seen = None
    while True:
        stamp = [(path.stat().st_mtime_ns, path.stat().st_size) for path in paths]
        if stamp != seen:
            last = all(map(is_over, paths))
            write(last)
            if last:
                return
            seen = stamp
        wait(PAUSE)


def is_over(path: Path) -> bool:
    """Whether as many trials have ended as were asked for, and none is running."""
    from autopeft.study.results import snapshot

    return ended(snapshot(path))


def ended(results: Results) -> bool:
    """Whether nothing more is to come."""
    wanted = results.info.get("trials")
    running = any(trial.state == "running" for trial in results.trials)
    return wanted is not None and len(results.trials) >= wanted and not running
