"""Write a trial for a target: all of it or nothing, and nothing of the user's is replaced."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autopeft import digest
from autopeft.errors import ExportError, UsageError
from autopeft.types import Exporter

if TYPE_CHECKING:
    from autopeft.export.bundle import Bundle

SCHEMA = "autopeft.export/1"
RECORD = "autopeft-export.json"
"""Says which files an export wrote, so that a later one may replace them."""
STAGING = ".autopeft-partial"
"""Where an export is written before it is moved into place."""


def export(bundle: Bundle, target: Exporter, folder: Path) -> list[Path]:
    """The files that the target wrote to the folder, checked by loading them back.

    A failed export leaves the folder as it was.

    Raises:
        UsageError: the folder holds other files, or cannot be written.
        ExportError: the target cannot express the configuration, the check failed, or the disk is
            full.
    """
    configuration, modules = bundle.trial.configuration, bundle.workbench.modules
    if reason := target.refuses(configuration, modules):
        raise ExportError(f"trial {bundle.trial.number} cannot be exported: {reason}")
    place = folder.resolve()
    with _explained(folder):
        check_folder(folder)
        staging = _staging(place)
        try:
            names: list[Path] = [
                path.relative_to(staging) for path in target.write(bundle, staging)
            ]
            _write_record(bundle, staging, names)
            _move(staging, place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return [folder / name for name in (*names, Path(RECORD))]


def check_folder(folder: Path) -> None:
    """Whether an export may be written there.

    Raises:
        UsageError: it is a file, or holds something that AutoPEFT did not write or that has been
            changed since.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"`{folder}` is a file", hint="name a folder to export to")
    written = _record(folder)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(STAGING) or (path.is_dir() and not path.is_symlink()):
            continue
        if name != RECORD and written.get(name) != digest.of_file(path):
            raise UsageError(
                f"`{folder}` holds `{name}`, which would be lost",
                hint="name another folder, or move the file away",
            )


def _record(folder: Path) -> dict[str, str]:
    """Names and sha256 of what the last export wrote there; empty when there was none."""
    try:
        data = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return dict(data["files"]) if data["schema"] == SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _staging(place: Path) -> Path:
    """An empty folder on the same file system as the place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.parent / f"{STAGING}-{place.name}"
    staging = place / STAGING if place.is_dir() else beside
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    return staging


def _write_record(bundle: Bundle, staging: Path, names: list[Path]) -> None:
    record = {
        "schema": SCHEMA,
        "study": bundle.study,
        "trial": bundle.trial.number,
        "files": {
            path.relative_to(staging).as_posix(): digest.of_file(path)
            for path in sorted(staging.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(record, indent=2) + "\n"
    (staging / RECORD).write_text(text, encoding="utf-8")


def _move(staging: Path, place: Path) -> None:
    """Put what was staged into place, where only an earlier export may be."""
    if not place.exists():
        staging.rename(place)
        return
    for old in place.iterdir():
        if old == staging:
            continue
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for new in staging.iterdir():
        new.rename(place / new.name)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn the ways in which writing fails into one sentence."""
    from safetensors import SafetensorError

    full = ExportError(f"the disk of `{folder}` is full", hint="free some space, then export again")
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise UsageError(
                f"`{folder}` cannot be written: {error.strerror}", hint="name another folder"
            ) from error
        raise ExportError(f"cannot write to `{folder}`: {error}") from error
    except SafetensorError as error:
        if "os error 28" in str(error):
            raise full from error
        raise ExportError(f"cannot write to `{folder}`: {error}") from error
