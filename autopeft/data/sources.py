"""Finding the train, validation and test tables of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autopeft.data.files import READERS, read_file
from autopeft.data.hub import read_hub
from autopeft.data.table import Table
from autopeft.errors import UsageError

ROLES: Mapping[str, str] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""Name of a file or a split -> what it is."""


@dataclass(frozen=True)
class Source:
    """The tables of a data set, as published."""

    name: str
    train: Table
    validation: Table | None = None
    test: Table | None = None


def read_source(source: str, *, offline: bool) -> Source:
    """The tables of a file, a folder or a data set of the Hub."""
    try:
        path = Path(source).expanduser()
        folder, exists = path.is_dir(), path.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"`{source}` cannot be opened: {getattr(error, 'strerror', None) or error}.",
            hint="Check the path and its permissions.",
        ) from None
    if source.strip() and folder:
        return _folder(path)
    if source.strip() and exists:
        return Source(path.stem, read_file(path))
    if _looks_like_path(source):
        raise UsageError(
            f"There is no file or folder `{source}`.",
            hint=f"Give a file ({', '.join(READERS)}), a folder with a train file, or a Hub name.",
        )
    return _hub(source, offline=offline)


def _looks_like_path(source: str) -> bool:
    if not source.strip():
        return True
    marked = source.startswith((".", "/", "~")) or source.endswith("/") or "\\" in source
    return marked or source.count("/") > 1 or Path(source).suffix.lower() in READERS


def _folder(folder: Path) -> Source:
    paths = _files_by_role(folder)
    if "train" not in paths:
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise UsageError(
            f"`{folder}` has no train file, but {names}.",
            hint=f"Name it `train` with one of {', '.join(READERS)}, or give one file.",
        )
    tables = {role: read_file(path) for role, path in paths.items()}
    return Source(
        folder.resolve().name, tables["train"], tables.get("validation"), tables.get("test")
    )


def _files_by_role(folder: Path) -> Mapping[str, Path]:
    """Role -> file; UsageError when two files have the same role."""
    found: dict[str, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"`{folder}` cannot be read: {error.strerror or error}.",
            hint="Check its permissions.",
        ) from None
    for path in paths:
        role = ROLES.get(path.stem.lower(), "")
        if not role or path.suffix.lower() not in READERS:
            continue
        if role in found:
            raise UsageError(
                f"`{folder}` has two {role} files, `{found[role].name}` and `{path.name}`.",
                hint="Keep one of them.",
            )
        found[role] = path
    return found


def _hub(source: str, *, offline: bool) -> Source:
    splits = read_hub(source, offline=offline)
    tables = {ROLES[name]: table for name, table in splits.items() if name in ROLES}
    if "train" not in tables and len(splits) == 1:
        return Source(source, next(iter(splits.values())))
    if "train" not in tables:
        raise UsageError(
            f"The data set `{source}` has no split `train`, but `{', '.join(splits)}`.",
            hint="Save the split that you mean as a file and give that file.",
        )
    return Source(source, tables["train"], tables.get("validation"), tables.get("test"))
