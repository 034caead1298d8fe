"""Every exit code, the words that come with it, and an empty stdout."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autopeft.errors import (
    AutoPeftError,
    ExportError,
    Interrupted,
    MissingError,
    NothingFits,
    UsageError,
)
from autopeft.study import results
from tests.cli.conftest import Run


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def snapshot(path: Path) -> None:
        raise error

    monkeypatch.setattr(results, "snapshot", snapshot)


def test_0_when_done(study: Path, run: Run) -> None:
    assert run("front")[0] == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AutoPeftError("It broke.", hint="Mend it."), 1),
        (ExportError("it broke", hint="mend it"), 1),
        (UsageError("It broke.", hint="mend it."), 2),
        (NothingFits("it broke", hint="mend it"), 3),
        (MissingError("it broke", hint="mend it"), 4),
    ],
)
def test_each_error_has_its_code_a_sentence_and_a_hint(
    error: AutoPeftError, code: int, study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, error)
    assert run("status") == (code, "", "error: it broke\n\nhint: mend it\n")


def test_130_when_stopped(study: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, Interrupted("by you", hint="go on"))
    assert run("status") == (130, "", "stopped: by you\n\nhint: go on\n")


def test_130_for_ctrl_c_outside_a_search(
    study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    code, out, _ = run("status")
    assert (code, out) == (130, "")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_or_closed_disk_is_one_sentence(
    code: int, study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, OSError(code, "as the system says it", "out/file"))
    found, out, err = run("status")
    assert (found, out) == (1, "")
    assert err.startswith(f"error: cannot write `out/file`: {os.strerror(code)}\n\nhint: ")


def test_the_unexpected_goes_to_a_file(
    study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(study.parent))
    fail_with(monkeypatch, ZeroDivisionError("by zero"))
    code, out, err = run("status")
    (kept,) = study.parent.glob("autopeft-*.txt")
    assert (code, out) == (1, "")
    assert err.startswith("error: unexpected ZeroDivisionError: by zero\n\nhint: please report")
    assert str(kept) in err
    assert "Traceback" not in err
    assert "Traceback" in kept.read_text()
    assert kept.read_text().startswith("autopeft 0.1.0, python ")


def test_debug_shows_the_traceback(study: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, UsageError("it broke"))
    for words in (("--debug", "status"), ("status", "--debug")):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert "Traceback" in err
        assert err.endswith("error: it broke\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serch",), "no such command `serch`\n\nhint: did you mean `search`?"),
        (("search", "--trails", "3"), "no such option: --trails\n\nhint: did you mean `--trials`?"),
        (("search", "--trials", "many"), "invalid value for `-n` / `--trials`"),
        (("status", "a", "b"), "unexpected extra argument"),
        (("search", "--budget", "200%"), "budget `200%` is not above 0 % and at most 100 %"),
        (("search", "--budget", "half"), "budget `half` is not a percentage"),
        (("search", "--memory", "much"), "`--memory much` is not a size"),
        (("search", "--timeout", "soon"), "timeout `soon` is not a duration"),
        (("search", "--trials", "-1"), "`--trials -1` must be"),
        (("search", "--space", "mixd"), "did you mean `mixed`?"),
        (("search", "--sampler", "gpp"), "did you mean `gp`?"),
        (("search", "--objective", "acuracy"), "did you mean `accuracy`?"),
        (("search", "--device", "tpu"), "unknown device `tpu`"),
        (("list", "moduls"), "did you mean `modules`?"),
        (("list", "objectives", "acuracy"), "did you mean `accuracy`?"),
        (("show", "bst"), "`bst` is not a trial"),
        (("show", "best", "--format", "yml"), "did you mean `yaml`?"),
        (("show", "99"), "has no trial `99`"),
        (("show", "38"), "trial `38` has no result"),
        (("front", "--x", "acuracy", "--y", "peak_memory"), "did you mean `accuracy`?"),
        (("front", "--x", "accuracy"), "`--x` and `--y` name two different objectives"),
        (("front", "--json", "--csv"), "exclude each other"),
        (("export", "best"), "export needs a target"),
        (("export", "best", "--to", "train"), "export needs a folder"),
        (("export", "best", "--to", "trein", "-o", "x"), "did you mean `train`?"),
        (("report", "--plotly", "inlin"), "did you mean `inline`?"),
        (("importance", "--method", "sptt"), "did you mean `spt`?"),
        (("importance", "--seeds", "0"), "`--seeds 0` must be"),
    ],
)
def test_2_for_wrong_usage(words: tuple[str, ...], said: str, study: Path, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "error: " in err
    assert "Traceback" not in err
    assert said in err


def test_a_closed_pipe_is_silent() -> None:
    read, write = os.pipe()
    os.close(read)
    source = "import sys; from autopeft.cli import main; sys.exit(main(['help', 'json']))"
    done = subprocess.run([sys.executable, "-c", source], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_version_is_one_line(run: Run) -> None:
    assert run("--version") == (0, "autopeft 0.1.0\n", "")
