"""Run commands in this process, on a study that nothing was trained for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from autopeft import cli
from autopeft import search as package
from autopeft.progress import Progress
from autopeft.settings import Settings
from autopeft.study import results
from autopeft.types import Results
from tests import results_fixture

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]
Body = Callable[[Progress], None]
Given = list[tuple[Settings, Path, str]]
Install = Callable[[Body], Given]


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


def play(progress: Progress) -> None:
    """Report the trials of the fixture."""
    made = results_fixture.make()
    ended = [t for t in made.trials if t.state != "running"]
    progress.note("loading the model")
    progress.trials(0, len(ended))
    for done, trial in enumerate(ended, start=1):
        progress.step([trial.number], 1, 2)
        progress.finished(trial, 1 + done // 8, done / 100)
        progress.trials(done, len(ended))


@pytest.fixture
def searching(here: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a body in the place of the search; gives what the search was asked."""

    def install(body: Body) -> Given:
        given: Given = []

        def run(settings: Settings, path: Path, progress: Progress, *, command: str) -> Results:
            given.append((settings, path, command))
            body(progress)
            return replace(results_fixture.make(), study=str(path))

        monkeypatch.setattr(package, "search", SimpleNamespace(run=run), raising=False)
        return given

    return install
