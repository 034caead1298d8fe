"""The error tree: every user-facing failure carries a sentence, a hint and an exit code.

AutoPeftError            exit 1  could not do it
├── UsageError           exit 2  wrong usage: an option, a file, a column, a value
│   └── SpaceError       exit 2  a search space that cannot be read or expanded
├── StudyError           exit 1  a study that cannot be opened or continued
├── ExportError          exit 1  a target that cannot express the configuration
├── NothingFits          exit 3  done, but nothing satisfies the constraints
├── MissingError         exit 4  an extra, a checkpoint or a device is missing here
└── Interrupted          exit 130  stopped by the user, state saved
"""

from __future__ import annotations


class AutoPeftError(Exception):
    """A failure that is explained to the user in one sentence, with a hint and an exit code."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AutoPeftError):
    """Wrong input: an option, a file, a column or a value."""

    exit_code = 2


class SpaceError(UsageError):
    """A search space that cannot be read, or that does not fit the backbone."""


class StudyError(AutoPeftError):
    """A study that cannot be opened, or that is about something else."""


class ExportError(AutoPeftError):
    """A target that cannot express the configuration; the message names the layer and why."""


class NothingFits(AutoPeftError):
    """The work is done, but nothing satisfies the constraints."""

    exit_code = 3


class MissingError(AutoPeftError):
    """Something is missing on this machine: an extra, a checkpoint, a device."""

    exit_code = 4


class Interrupted(AutoPeftError):
    """Stopped by the user; everything finished so far is saved."""

    exit_code = 130
