"""Help pages, word for word, and how fast the first one comes.

After a wanted change: `COLUMNS=100 autopeft COMMAND -h > tests/cli/golden/COMMAND.txt`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autopeft.cli.app import app
from autopeft.cli.topics import TOPICS
from tests.cli.conftest import Run

GOLDEN = Path(__file__).parent / "golden"
COMMANDS = [str(info.name) for info in app.registered_commands]
HEAVY = {"torch", "optuna", "plotly", "transformers", "pandas", "numpy", "datasets", "sklearn"}


def test_every_page_of_the_folder_belongs_to_a_command() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {"autopeft", *COMMANDS}


@pytest.mark.parametrize("command", ["autopeft", *COMMANDS])
def test_a_help_page_is_as_kept(command: str, run: Run) -> None:
    words = ["-h"] if command == "autopeft" else [command, "-h"]
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out == (GOLDEN / f"{command}.txt").read_text()
    assert max(map(len, out.splitlines())) <= 100


def test_no_words_at_all_give_the_help_page(run: Run) -> None:
    assert run() == run("--help")


def test_help_of_a_command_is_its_page(run: Run) -> None:
    assert run("help", "front")[1].split() == run("front", "-h")[1].split()


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_printed(topic: str, run: Run) -> None:
    code, out, err = run("help", topic)
    assert (code, err) == (0, "")
    assert out.strip() == TOPICS[topic].strip()


def test_an_unknown_topic_is_answered_with_the_nearest(run: Run) -> None:
    code, out, err = run("help", "exit-code")
    assert (code, out) == (2, "")
    assert "did you mean `exit-codes`?" in err


def test_the_first_page_needs_no_heavy_library() -> None:
    source = (
        "import sys; from autopeft.cli import main; main(['-h']); "
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
