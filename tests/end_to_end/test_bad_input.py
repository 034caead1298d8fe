"""Bad input on the real command line: one sentence, a hint, the right exit code, nothing lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autopeft import cli
from tests import tiny_bundle


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    tiny_bundle.checkpoint(folder / "model", "bert")
    tiny_bundle.dataset(folder / "rows.jsonl")
    return folder


@pytest.fixture
def place(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(material, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOPEFT_NO_PROGRESS", "1")
    return tmp_path


FAST = ["--steps", "2", "--batch", "4", "--length", "16", "-n", "2", "--device", "cpu"]


def search(*options: str, model: str = "model", dataset: str = "rows.jsonl") -> int:
    return cli.main(["search", "--model", model, "--dataset", dataset, *FAST, *options])


def write(content: bytes) -> Callable[[Path], list[str]]:
    def make(place: Path) -> list[str]:
        (place / "other.jsonl").write_bytes(content)
        return ["--dataset", "other.jsonl"]

    return make


def rows(*labels: str) -> bytes:
    lines = [
        f'{{"text": "w{i % 40} w{i % 7}", "label": "{label}"}}' for i, label in enumerate(labels)
    ]
    return "\n".join(lines).encode()


def splits(place: Path) -> list[str]:
    (place / "splits").mkdir()
    (place / "splits" / "train.jsonl").write_bytes(rows(*"ab" * 40))
    (place / "splits" / "test.jsonl").write_bytes(rows(*"abz" * 10))
    return ["--dataset", "splits"]


def without_weights(place: Path) -> list[str]:
    (place / "model" / "model.safetensors").unlink()
    return []


def space(place: Path) -> list[str]:
    (place / "mine.yaml").write_text("name: mine\nmodules: [lora]\nmodulez: 1\n")
    return ["--space", "./mine.yaml"]


def study(content: bytes) -> Callable[[Path], list[str]]:
    def make(place: Path) -> list[str]:
        (place / "s.journal").write_bytes(content)
        return ["--study", "s.journal"]

    return make


def options(*given: str) -> Callable[[Path], list[str]]:
    return lambda place: list(given)


WRONG: dict[str, tuple[Callable[[Path], list[str]], int, str]] = {
    "missing file": (options("--dataset", "none.csv"), 2, "none.csv"),
    "wrong column": (options("--text", "txet"), 2, "txet"),
    "wrong label": (options("--label", "lable"), 2, "lable"),
    "one class": (write(rows(*"a" * 80)), 2, "only one value"),
    "empty file": (write(b""), 2, "other.jsonl"),
    "too few rows": (write(rows("a", "b", "a")), 2, "rows"),
    "broken line": (write(b'{"text": "a", "label": "b"}\n{"text"'), 2, "2"),
    "not utf-8": (write(b'{"text": "caf\xe9", "label": "a"}\n' * 40), 2, "UTF-8"),
    "empty texts": (
        write(b'{"text": "", "label": "a"}\n{"text": " ", "label": "b"}\n' * 30),
        2,
        "empty",
    ),
    "label only in test": (splits, 2, "z"),
    "budget 0": (options("--budget", "0%"), 2, "budget"),
    "budget 101": (options("--budget", "101%"), 2, "budget"),
    "budget -1": (options("--budget", "-1"), 2, "budget"),
    "budget abc": (options("--budget", "abc"), 2, "budget"),
    "budget too small": (options("--budget", "0.00001%"), 3, "smallest"),
    "memory": (options("--memory", "lots"), 2, "memory"),
    "no weights": (without_weights, 4, "model"),
    "no such model": (options("--model", "nowhere/none", "--offline"), 4, "nowhere/none"),
    "unknown space": (options("--space", "lorra"), 2, "lorra"),
    "wrong space file": (space, 2, "mine.yaml:3"),
    "unknown objective": (options("--objective", "acuracy"), 2, "acuracy"),
    "unknown sampler": (options("--sampler", "gpp"), 2, "gpp"),
    "unknown metric": (options("--metric", "f2"), 2, "f2"),
    "unknown device": (options("--device", "tpu"), 2, "tpu"),
    "unknown dtype": (options("--dtype", "float31"), 2, "float31"),
    "trials": (options("-n", "-3"), 2, "trials"),
    "foreign study": (study(b"not a journal\n"), 1, "s.journal"),
    "empty study": (study(b""), 1, "s.journal"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_bad_input(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, code, word = WRONG[case]
    given = ["--budget", "30%", *make(place)]
    before = {f: f.read_bytes() for f in place.glob("*.journal")}
    assert search(*given) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    message = next(line for line in err.splitlines() if line.startswith("error: "))
    assert word in message
    assert {f: f.read_bytes() for f in place.glob("*.journal")} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.chmod(0o555)
    try:
        assert search("--budget", "30%") == 1
    finally:
        place.chmod(0o755)
    assert "cannot write study" in capsys.readouterr().err


def test_a_study_in_a_folder_that_is_not_there(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search("--budget", "30%", "--study", "nowhere/s.journal") == 1
    assert "nowhere/s.journal" in capsys.readouterr().err


def test_the_whole_path(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Search, status, front, show, report and both exports on one study."""
    assert search("--budget", "30%", "-n", "7") == 0
    assert "best" in capsys.readouterr().out
    name = "model-rows.journal"
    assert (place / name).is_file()
    for command in (
        ["status", name, "--json"],
        ["front", name, "--json"],
        ["front", name, "--all"],
        ["show", name, "best"],
        ["report", name, "-o", "report.html"],
        ["export", name, "best", "--to", "train", "-o", "script"],
        ["export", name, "0", "--to", "peft", "-o", "adapter"],
        ["export", name, "1", "--to", "peft", "-o", "again"],
    ):
        assert cli.main(command) == 0, command
    assert (place / "report.html").stat().st_size > 50_000
    assert (place / "script" / "train.py").is_file()
    assert (place / "adapter" / "adapter_model.safetensors").is_file()
