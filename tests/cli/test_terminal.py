"""What a person sees: in a terminal tables and a live block, without one neither."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from autopeft.cli import output

SOURCE = """
import sys, time, types
import autopeft.search
from autopeft.study import results
from autopeft.cli import main
from tests import results_fixture
made = results_fixture.make()
results.snapshot = lambda path: made
def run(settings, path, progress, *, command):
    progress.trials(0, 3)
    for number in range(3):
        progress.step([number], 30, 60)
        time.sleep(0.3)
        progress.finished(made.trial(number), number + 1, 0.1 * number)
        progress.trials(number + 1, 3)
    time.sleep(0.3)
    return made
autopeft.search.search = types.SimpleNamespace(run=run)
sys.exit(main(sys.argv[1:]))
"""
ROOT = Path(__file__).parents[2]


def in_terminal(folder: Path, *words: str, **variables: str) -> str:
    """Everything that is written to a terminal of 100 columns."""
    screen, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    for name in ("NO_COLOR", "AUTOPEFT_NO_PROGRESS", "AUTOPEFT_STUDY"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", SOURCE, *words],
        stdin=end,
        stdout=end,
        stderr=end,
        cwd=folder,
        env={**environment, **variables},
    )
    os.close(end)
    seen = bytearray()
    try:
        while block := os.read(screen, 65536):
            seen += block
    except OSError:
        # Linux reports the end of a terminal as a failure.
        pass
    os.close(screen)
    assert process.wait() == 0
    return seen.decode()


def test_a_terminal_gets_an_aligned_table(tmp_path: Path) -> None:
    (tmp_path / "a.journal").touch()
    seen = in_terminal(tmp_path, "front")
    head, *rows = re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()
    assert "\t" not in seen
    assert len(head) <= 100
    column = slice(head.index("accuracy %"), head.index("accuracy %") + len("accuracy %"))
    assert re.fullmatch(r"[0-9.]+ ± [0-9.]+", rows[0][column].strip())


def test_a_terminal_gets_a_live_block_that_goes_away(tmp_path: Path) -> None:
    seen = in_terminal(tmp_path, "search")
    assert "1/3" in seen
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" in seen
    assert "trial 1  step 30/60" in seen
    assert "hypervolume 0.100 (+0.100 in 10 trials)" in seen
    assert "1/3  trial 0" not in seen
    # Lines are erased one by one when the block goes.
    assert "\x1b[2K" in seen.split("hypervolume")[-1]


def test_a_dumb_terminal_gets_plain_lines_without_colour(tmp_path: Path) -> None:
    seen = in_terminal(tmp_path, "search", TERM="dumb", NO_COLOR="1")
    assert "1/3  trial 0  accuracy" in seen
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in seen
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", seen)


@pytest.mark.parametrize(
    ("terminal", "variables", "drawn"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "AUTOPEFT_NO_PROGRESS": "1"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_a_block_is_drawn_only_where_it_can_be(
    terminal: bool, variables: dict[str, str], drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOPEFT_NO_PROGRESS", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: terminal))
    assert output.can_draw() is drawn
