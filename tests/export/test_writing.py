"""An export is all there or not at all, and replaces nothing that is not its own."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autopeft.errors import ExportError, UsageError
from autopeft.export.writing import RECORD, check_folder, export
from autopeft.types import Exporter

BUNDLE: Any = SimpleNamespace(
    study="s.journal",
    trial=SimpleNamespace(number=4, configuration=None),
    workbench=SimpleNamespace(modules={}),
)


def exporter(write: Callable[[Any, Path], list[Path]], reason: str = "") -> Exporter:
    return Exporter("a test", lambda configuration, modules: reason, write)


def files(*names: str, text: str = "1") -> Exporter:
    """An exporter of these files."""

    def write(bundle: Any, folder: Path) -> list[Path]:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return [folder / name for name in names]

    return exporter(write)


def failing(error: BaseException) -> Exporter:
    """An exporter that fails half-way."""

    def write(bundle: Any, folder: Path) -> list[Path]:
        (folder / "half").write_text("1")
        raise error

    return exporter(write)


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_files_are_where_they_should_be(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    assert export(BUNDLE, files("a", "b/c"), out) == [out / "a", out / "b/c", out / RECORD]
    assert names(tmp_path) == [f"new/out/{n}" for n in sorted(["a", "b/c", RECORD])]
    record = json.loads((out / RECORD).read_text())
    assert (record["study"], record["trial"], sorted(record["files"])) == (
        "s.journal",
        4,
        ["a", "b/c"],
    )


def test_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    export(BUNDLE, files("a", "old/b"), tmp_path)
    export(BUNDLE, files("a", "new", text="2"), tmp_path)
    assert names(tmp_path) == sorted(["a", "new", RECORD])
    assert (tmp_path / "a").read_text() == "2"


@pytest.mark.parametrize("name", ["mine", "sub/mine", "a"])
def test_what_the_user_wrote_is_not_replaced(tmp_path: Path, name: str) -> None:
    export(BUNDLE, files("a"), tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"holds `{name}`"):
        export(BUNDLE, files("a", text="2"), tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    with pytest.raises(UsageError, match="holds `x`"):
        check_folder(tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        check_folder(tmp_path / "x")
    check_folder(tmp_path / "nothing")
    (tmp_path / RECORD).write_text('{"schema": "another", "files": {"x": ""}}')
    with pytest.raises(UsageError, match="holds `x`"):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    "error", [ExportError("no"), KeyboardInterrupt(), RuntimeError("a defect")]
)
@pytest.mark.parametrize("before", [False, True])
def test_a_failed_export_leaves_nothing(tmp_path: Path, error: BaseException, before: bool) -> None:
    out = tmp_path / "out"
    if before:
        export(BUNDLE, files("a"), out)
    with pytest.raises(type(error)):
        export(BUNDLE, failing(error), out)
    assert names(tmp_path) == ([f"out/{n}" for n in sorted(["a", RECORD])] if before else [])


def test_what_a_killed_export_left_is_cleared_away(tmp_path: Path) -> None:
    for place in (tmp_path / ".autopeft-partial-out", tmp_path / "out" / ".autopeft-partial"):
        place.mkdir(parents=True)
        (place / "half").write_text("1")
        export(BUNDLE, files("a"), tmp_path / "out")
        assert names(tmp_path / "out") == sorted(["a", RECORD])


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    export(BUNDLE, files("a"), Path("."))
    assert names(Path(".")) == sorted(["a", RECORD])


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    export(BUNDLE, files("a"), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").is_file()


def test_a_refused_configuration_writes_nothing(tmp_path: Path) -> None:
    target = exporter(lambda bundle, folder: [], reason="layer 3 has a prefix")
    with pytest.raises(ExportError, match="trial 4 cannot be exported: layer 3 has a prefix"):
        export(BUNDLE, target, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.ENOSPC, ExportError, "disk of .* is full"),
        (errno.EACCES, UsageError, "cannot be written"),
        (errno.EROFS, UsageError, "cannot be written"),
        (errno.EIO, ExportError, "cannot write"),
    ],
)
def test_a_disk_that_fails(
    tmp_path: Path, number: int, kind: type[Exception], message: str
) -> None:
    error = OSError(number, os.strerror(number))
    with pytest.raises(kind, match=message):
        export(BUNDLE, failing(error), tmp_path / "out")
    assert names(tmp_path) == []


def test_a_full_disk_as_safetensors_says_it(tmp_path: Path) -> None:
    from safetensors import SafetensorError

    error = SafetensorError("I/O error: No space left on device (os error 28)")
    with pytest.raises(ExportError, match="is full"):
        export(BUNDLE, failing(error), tmp_path / "out")


def test_a_file_in_the_way_of_the_parent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    with pytest.raises(ExportError, match="cannot write"):
        export(BUNDLE, files("a"), tmp_path / "file" / "out")
