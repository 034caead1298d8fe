"""Watching a study: write after each change, stop when the search is over."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from autopeft.cli import watching
from tests import results_fixture as fixture


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.journal"
    path.write_text("x")
    return path


def test_it_writes_after_each_change_and_once_more_at_the_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter([False, False, True])
    monkeypatch.setattr(watching, "is_over", lambda path: next(states))
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) % 2 == 0:
            file.write_text("x" * (1 + len(pauses)))
            os.utime(file, (len(pauses), len(pauses)))

    written: list[bool] = []
    watching.follow([file], written.append, wait=wait)
    assert written == [False, False, True]
    assert len(pauses) == 4


def test_a_search_is_over_when_all_its_trials_have_ended() -> None:
    results = fixture.make()
    over = tuple(t for t in results.trials if t.state != "running")
    assert not watching.ended(results)
    assert not watching.ended(dataclasses.replace(results, info={"trials": 40}))
    done = dataclasses.replace(results, trials=over, info={"trials": len(over)})
    assert watching.ended(done)
    assert not watching.ended(dataclasses.replace(done, info={"trials": 100}))
