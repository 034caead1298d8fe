"""Which study a command means: the one named, the environment's, or the only one here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from autopeft.errors import UsageError

VARIABLE = "AUTOPEFT_STUDY"
SUFFIX = ".journal"
SHOWN = 5


def find(name: str) -> Path:
    """Path of the study that a command is about.

    Raises:
        UsageError: none was named, and there is not exactly one here.
    """
    if given := name or os.environ.get(VARIABLE, ""):
        return Path(given)
    here = sorted(path for path in Path().glob(f"*{SUFFIX}") if path.is_file())
    if len(here) == 1:
        return here[0]
    if not here:
        raise UsageError(
            "there is no study in this folder",
            hint="`autopeft search` makes one; or name a study: `autopeft status PATH.journal`",
        )
    names = ", ".join(f"`{path}`" for path in here[:SHOWN])
    more = f" and {len(here) - SHOWN} more" if len(here) > SHOWN else ""
    raise UsageError(
        f"there are {len(here)} studies here: {names}{more}",
        hint=f"name one of them, or set {VARIABLE}",
    )


def with_trial(words: Sequence[str], command: str) -> tuple[Path, str]:
    """Study and trial of `[STUDY] TRIAL`.

    Raises:
        UsageError: no trial, or too many words.
    """
    usage = f"`autopeft {command} [STUDY] best`; instead of best: knee, smallest or a number"
    if len(words) > 2:
        raise UsageError(f"`{' '.join(words[2:])}` is one word too many", hint=usage)
    if not words or (len(words) == 1 and _is_study(words[0])):
        raise UsageError("no trial is named", hint=usage)
    return find(words[0] if len(words) == 2 else ""), words[-1]


def _is_study(word: str) -> bool:
    return word.endswith(SUFFIX) or Path(word).is_file()
