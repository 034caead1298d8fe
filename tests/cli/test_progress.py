"""Progress of a search, and Ctrl-C during one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autopeft.cli.live import Lines
from autopeft.cli.tally import Tally, duration
from autopeft.errors import Interrupted
from autopeft.progress import Progress
from tests.cli.conftest import Install, Run


def press(*, times: int = 1) -> None:
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


# --- Ctrl-C -----------------------------------------------------------------------------------


def test_the_first_ctrl_c_waits_for_the_pack(searching: Install, run: Run) -> None:
    def body(progress: Progress) -> None:
        progress.step([0, 1], 1, 60)
        press()
        progress.step([0, 1], 2, 60)
        if progress.stop_requested():
            raise Interrupted("stopped")

    searching(body)
    code, out, err = run("search", "-n", "9", "--study", "my study.journal")
    assert (code, out) == (130, "")
    assert "stopping after this pack; press Ctrl-C again to stop now" in err
    assert "hint: `autopeft search -n 9 --study 'my study.journal'` goes on from here" in err


@pytest.mark.parametrize("begun", [True, False])
def test_the_second_ctrl_c_or_one_before_training_stops_at_once(
    begun: bool, searching: Install, run: Run
) -> None:
    reached: list[str] = []

    def body(progress: Progress) -> None:
        if begun:
            progress.step([0], 1, 60)
            press()
            reached.append("first")
        press()
        reached.append("second")

    searching(body)
    before = signal.getsignal(signal.SIGINT)
    code, out, err = run("search")
    assert (code, out) == (130, "")
    assert reached == (["first"] if begun else [])
    assert "hint: `autopeft search` goes on from here" in err
    assert signal.getsignal(signal.SIGINT) is before


# --- progress ---------------------------------------------------------------------------------


def test_silence_is_broken_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("autopeft.cli.live.time.monotonic", lambda: now[0])
    lines = Lines(Tally())
    for second in range(31):
        now[0] = float(second)
        lines.changed(f"second {second}")
    assert capsys.readouterr().err.split() == ["second", "10", "second", "20", "second", "30"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3590, "1 h"), (7500, "2 h 5 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_first_line_comes_before_any_heavy_import(here: Path) -> None:
    source = """
import sys, types
import autopeft.search
def run(*given, **more):
    print(sorted({"torch", "optuna", "transformers", "pandas", "numpy"} & set(sys.modules)))
    raise SystemExit(0)
autopeft.search.search = types.SimpleNamespace(run=run)
from autopeft.cli import main
main(["search", "--budget", "0.5%"])
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr.startswith("study   MiniLM-L6-docstring-origin.journal, new\n")
