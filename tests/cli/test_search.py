"""`search` around a search that trains nothing: its streams and what it asks for."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import autopeft.search
from autopeft.errors import StudyError
from autopeft.progress import Progress
from autopeft.settings import Settings
from tests import results_fixture
from tests.cli.conftest import Install, Run, play

# --- streams ----------------------------------------------------------------------------------


def test_the_front_is_on_stdout_and_the_rest_on_stderr(searching: Install, run: Run) -> None:
    searching(play)
    code, out, err = run("search")
    lines = err.splitlines()
    front = results_fixture.make().front
    assert code == 0
    assert [int(line.split("\t")[0]) for line in out.splitlines()[1:]] == list(front)
    assert lines[0] == "study   MiniLM-L6-docstring-origin.journal, new"
    assert f"done    40 trials, {len(front)} on the front, 1 failed" in lines
    assert "note: the front still grew in the last 10 trials: more trials may find better ones" in (
        lines
    )
    assert lines[-1] == (
        "hint: `autopeft report MiniLM-L6-docstring-origin.journal` · "
        "`autopeft export MiniLM-L6-docstring-origin.journal best --to train -o DIR`"
    )
    assert "\x1b" not in out + err


def test_every_finished_trial_has_one_line(searching: Install, run: Run) -> None:
    searching(play)
    lines = [line for line in run("search")[2].splitlines() if "/39  trial " in line]
    assert len(lines) == 39
    assert lines[0].startswith("1/39  trial 0  accuracy ")
    assert "failed: The loss became NaN at step 40" in lines[-1]
    assert "over the limit" in lines[-2]


def test_defaults_are_compared_plainly(searching: Install, run: Run) -> None:
    searching(play)
    err = run("search")[2]
    made = results_fixture.make()
    default = made.trial(0)
    (line,) = [text for text in err.splitlines() if text.startswith("LoRA r=8 on q,v: ")]
    able = [
        t
        for t in map(made.trial, made.front)
        if not t.origin.startswith("baseline")
        and t.objectives["accuracy"].value >= default.objectives["accuracy"].value
        and t.measurements["trainable"].value <= default.measurements["trainable"].value
    ]
    assert ("at 0.327 %; trial " in line) == bool(able)
    assert ("; no searched point on the front is at least as good" in line) == (not able)


def test_json_is_one_object_per_finished_trial(searching: Install, run: Run) -> None:
    searching(play)
    code, out, _ = run("search", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {line["schema"] for line in found} == {"autopeft.trial/1"}
    assert [line["trial"] for line in found] == [
        t.number for t in results_fixture.trials() if t.state != "running"
    ]
    assert found[38]["state"] == "failed"


def test_quiet_says_nothing(searching: Install, run: Run) -> None:
    searching(play)
    code, out, err = run("search", "-q")
    assert (code, err) == (0, "")
    assert out


def test_3_when_the_front_is_empty(searching: Install, run: Run) -> None:
    def nothing(progress: Progress) -> None:
        failed = (results_fixture.failed_trial(0),)
        empty = results_fixture.of_trials(failed)
        stub = SimpleNamespace(run=lambda *given, **more: empty)
        autopeft.search.search = stub  # type: ignore[attr-defined]

    searching(nothing)
    run("search")
    code, out, err = run("search")
    assert (code, out) == (3, "")
    assert "error: no finished trial is within the limits" in err


def test_an_error_of_the_search_leaves_stdout_empty(searching: Install, run: Run) -> None:
    def refuse(progress: Progress) -> None:
        raise StudyError("`a` was begun with other options", hint="name another")

    searching(refuse)
    code, out, err = run("search")
    assert (code, out) == (1, "")
    assert err.endswith("error: `a` was begun with other options\n\nhint: name another\n")


# --- what the search is asked -----------------------------------------------------------------


def test_options_become_settings(searching: Install, run: Run) -> None:
    given = searching(play)
    words = (
        "search --model a/b --dataset rows.csv --text one --text two --label y --budget 0.5% "
        "--memory 24GB --timeout 2h -n 7 --objective accuracy --objective trainable_parameters "
        "--seeds 3 --steps 9 --device cpu --offline -s lora --sampler tpe"
    )
    assert run(*words.split())[0] == 0
    ((settings, path, command),) = given
    assert settings == Settings(
        model="a/b",
        dataset="rows.csv",
        text=("one", "two"),
        label="y",
        budget=0.5,
        memory=24 * 10**9,
        timeout=7200.0,
        trials=7,
        objectives=("accuracy", "trainable_parameters"),
        seeds=3,
        steps=9,
        device="cpu",
        offline=True,
        space="lora",
        sampler="tpe",
    )
    assert path == Path("b-rows.journal")
    assert command == f"autopeft {words}"


def test_no_options_are_the_defaults(searching: Install, run: Run) -> None:
    given = searching(play)
    run("search")
    assert given[0][0] == Settings()


def test_the_study_is_named_or_in_the_environment(
    searching: Install, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = searching(play)
    Path("there.journal").touch()
    monkeypatch.setenv("AUTOPEFT_STUDY", "there.journal")
    assert "study   there.journal, continuing\n" in run("search")[2]
    assert "study   other.journal, new\n" in run("search", "--study", "other.journal")[2]
    assert [path.name for _, path, _ in given] == ["there.journal", "other.journal"]
