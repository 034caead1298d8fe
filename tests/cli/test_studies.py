"""Which study a command is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopeft.cli.studies import find, with_trial
from autopeft.errors import UsageError
from tests.cli.conftest import Run


def test_the_named_study_wins(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOPEFT_STUDY", "b.journal")
    assert find("c.journal") == Path("c.journal")


def test_then_the_environment(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOPEFT_STUDY", "elsewhere/b.journal")
    assert find("") == Path("elsewhere/b.journal")


def test_then_the_only_one_here(study: Path, opened: list[Path], run: Run) -> None:
    Path("a.journal.weights").mkdir()
    Path("a.journal.lock").touch()
    assert run("status")[0] == 0
    assert opened == [Path("a.journal")]


def test_without_any_the_way_to_make_one_is_named(here: Path, run: Run) -> None:
    code, out, err = run("status")
    assert (code, out) == (2, "")
    assert "error: there is no study in this folder" in err
    assert "`autopeft search` makes one" in err


def test_several_are_listed(study: Path, run: Run) -> None:
    Path("b.journal").touch()
    code, out, err = run("front")
    assert (code, out) == (2, "")
    assert "2 studies here: `a.journal`, `b.journal`" in err


def test_many_are_not_all_listed(here: Path) -> None:
    for number in range(9):
        Path(f"{number}.journal").touch()
    with pytest.raises(UsageError, match=r"9 studies here: .* and 4 more"):
        find("")


def test_a_trial_alone_is_of_the_study_here(study: Path) -> None:
    assert with_trial(["best"], "show") == (Path("a.journal"), "best")
    assert with_trial(["b.journal", "3"], "show") == (Path("b.journal"), "3")


@pytest.mark.parametrize("words", [[], ["a.journal"], ["a.journal", "best", "more"]])
def test_other_numbers_of_words_are_explained(words: list[str], study: Path) -> None:
    with pytest.raises(UsageError) as error:
        with_trial(words, "show")
    assert "autopeft show [STUDY] best" in error.value.hint


def test_a_study_that_is_not_there(here: Path, run: Run) -> None:
    code, out, err = run("status", "none.journal")
    assert (code, out) == (1, "")
    assert "error: there is no study `none.journal`" in err
