"""Run commands in this process, on a study that nothing was trained for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autopeft import cli, results
from autopeft.types import Results
from tests import results_fixture

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("front", "--json")` gives exit code, stdout and stderr."""
    for name in ("AUTOPEFT_STUDY", "AUTOPEFT_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str) -> Outcome:
        capfd.readouterr()
        code = cli.main(words)
        found = capfd.readouterr()
        return code, found.out, found.err

    return command


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and we are in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The studies that commands read; each holds the results of the fixture."""
    paths: list[Path] = []

    def snapshot(path: Path) -> Results:
        paths.append(path)
        return replace(results_fixture.make(), study=str(path))

    monkeypatch.setattr(results, "snapshot", snapshot)
    return paths


@pytest.fixture
def study(here: Path, opened: list[Path]) -> Path:
    """The only study in the current folder."""
    path = here / "a.journal"
    path.touch()
    return path
