"""The journal file of a study: written whole or not at all, by one process at a time."""

from __future__ import annotations

import fcntl
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autopeft.errors import StudyError


def storage(path: Path) -> Any:
    """Optuna's storage over the journal; creates the file when there is none."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))


@contextmanager
def quiet() -> Iterator[None]:
    """No log lines of Optuna, no notes on experimental features that we chose."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a read-only folder or a full disk into one sentence.

    Raises:
        StudyError: the journal cannot be written; what it holds is intact.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "free some space or name another place with `--study`; what is finished is kept"
        raise StudyError(f"cannot write study `{path}`: {reason}", hint=hint) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an existing journal for this process alone; a killed holder leaves nothing behind.

    Raises:
        StudyError: another process holds it.
    """
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait for it, or name another study with `--study`"
            raise StudyError(f"another process is searching in `{path}`", hint=hint) from None
        # Optuna's own lock is a link that a killed process leaves behind, to be waited for.
        Path(f"{path}.lock").unlink(missing_ok=True)
        drop_unfinished_line(path)
        yield


def drop_unfinished_line(path: Path) -> None:
    """Cut the journal after its last whole line; what was being written was never acted on."""
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if 0 < end < len(data) and not _is_json(data[end:]):
        with path.open("r+b") as file:
            file.truncate(end)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
