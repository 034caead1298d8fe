"""Commands that read a study: what they print, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from autopeft import pareto
from autopeft.study import results
from autopeft.types import Placement, Results
from tests import results_fixture
from tests.cli.conftest import Run


def table(text: str) -> list[dict[str, str]]:
    """The lines of a tab-separated table by their headings."""
    head, *lines = text.splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def document(run: Run, *words: str) -> Any:
    code, out, _ = run(*words)
    assert code == 0
    return json.loads(out)


def without_results(monkeypatch: pytest.MonkeyPatch, *, feasible: bool) -> None:
    """Studies hold no finished trial, or one that is over the limit."""
    over = [t for t in results_fixture.trials() if t.state == "complete" and not t.feasible]
    failed = [t for t in results_fixture.trials() if t.state == "failed"]
    kept = results_fixture.of_trials(tuple(failed if feasible else over[:1]))

    def snapshot(path: Path) -> Results:
        return replace(kept, study=str(path))

    monkeypatch.setattr(results, "snapshot", snapshot)


# --- front ------------------------------------------------------------------------------------


def test_front_in_a_pipe_has_a_heading_and_one_line_per_point(study: Path, run: Run) -> None:
    _, out, err = run("front")
    rows = table(out)
    assert [int(row["trial"]) for row in rows] == list(results_fixture.make().front)
    assert all("\N{PLUS-MINUS SIGN}" in row["accuracy %"] for row in rows)
    assert f"{len(rows)} on the front" in err
    assert "one standard error of accuracy over 408 rows of validation, 3 seeds" in err
    assert "\x1b" not in out + err


def test_front_marks_the_points_to_choose_from(study: Path, run: Run) -> None:
    notes = " ".join(row["note"] for row in table(run("front")[1]))
    for word in ("best", "knee", "smallest"):
        assert notes.count(word) == 1


def test_front_json_holds_everything_about_a_point(study: Path, run: Run) -> None:
    data = document(run, "front", "--json")
    made = results_fixture.make()
    assert data["schema"] == "autopeft.front/1"
    assert [o["name"] for o in data["objectives"]] == [o.name for o in made.objectives]
    assert [point["trial"] for point in data["front"]] == list(made.front)
    point, trial = data["front"][0], made.trial(made.front[0])
    assert point["objectives"]["accuracy"] == {
        "value": trial.objectives["accuracy"].value,
        "error": trial.objectives["accuracy"].error,
    }
    assert point["configuration"] == trial.configuration.to_json()
    assert (point["seeds"], point["split"], point["rows"]) == ([0, 1, 2], "validation", 408)
    assert {"modules", "origin", "digest", "feasible", "on_front"} <= set(point)


def test_front_csv_has_raw_numbers_and_their_errors(study: Path, run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("front", "--csv")[1])))
    made = results_fixture.make()
    trial = made.trial(made.front[0])
    assert float(rows[0]["accuracy"]) == trial.objectives["accuracy"].value
    assert float(rows[0]["accuracy_error"]) == trial.objectives["accuracy"].error
    assert int(rows[0]["trainable"]) == trial.measurements["trainable"].value


def test_all_is_every_finished_trial(study: Path, run: Run) -> None:
    data = document(run, "front", "--all", "--json")
    finished = [t.number for t in results_fixture.trials() if t.state == "complete"]
    assert [point["trial"] for point in data["front"]] == finished


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_limit_keeps_the_ends(limit: int, study: Path, run: Run) -> None:
    whole = list(results_fixture.make().front)
    found = [p["trial"] for p in document(run, "front", "--json", "--limit", str(limit))["front"]]
    assert len(found) == len(set(found)) == min(limit, len(whole))
    assert found[-1] == whole[-1]
    assert limit == 1 or found[0] == whole[0]


def test_a_front_of_two_objectives_is_their_own(study: Path, run: Run) -> None:
    data = document(run, "front", "--x", "peak_memory", "--y", "accuracy", "--json")
    able = [t for t in results_fixture.trials() if t.state == "complete" and t.feasible]
    pairs = [[t.objectives[n].value for n in ("accuracy", "peak_memory")] for t in able]
    expected = {able[i].number for i in pareto.front(pairs, ["maximize", "minimize"])}
    assert {point["trial"] for point in data["front"]} == expected
    assert [o["name"] for o in data["objectives"]] == ["accuracy", "peak_memory"]


@pytest.mark.parametrize(
    ("feasible", "why"),
    [
        (True, "no trial of `a.journal` has a result; 1 failed"),
        (False, "none of the 1 finished trials is within the limits"),
    ],
)
def test_3_when_there_is_no_front(
    feasible: bool, why: str, study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_results(monkeypatch, feasible=feasible)
    code, out, err = run("front")
    assert (code, out) == (3, "")
    assert f"error: {why}" in err
    code, out, err = run("front", "--json")
    assert (code, json.loads(out)["front"]) == (3, [])


# --- status -----------------------------------------------------------------------------------


def test_status_counts_and_names_the_best(study: Path, run: Run) -> None:
    code, out, err = run("status")
    facts = dict(line.split("\t", 1) for line in out.splitlines())
    assert code == 0
    assert facts["trials"] == "39 of 40 done, 1 failed, 1 unfinished"
    assert facts["best"].startswith("trial ")
    assert "became NaN" in facts["failed 38"]
    assert "note: the front still grew in the last 10 trials" in err


def test_status_json(study: Path, run: Run) -> None:
    data = document(run, "status", "--json")
    made = results_fixture.make()
    assert data["schema"] == "autopeft.status/1"
    assert (data["done"], data["failed"], data["running"]) == (39, 1, 1)
    assert data["front"] == len(made.front)
    assert 0 < data["hypervolume"] <= 1
    assert data["health"] == made.info["health"]


def test_status_of_a_study_without_results(
    study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_results(monkeypatch, feasible=True)
    code, out, _ = run("status")
    assert code == 0
    assert "nothing finished within the limits" in out


# --- show -------------------------------------------------------------------------------------


def test_show_has_the_numbers_and_the_table_of_sites(study: Path, run: Run) -> None:
    code, out, _ = run("show", "0")
    facts, sites = out.split("\n\n")
    named = dict(line.split("\t", 1) for line in facts.splitlines())
    assert code == 0
    assert named["parameters"].startswith("73,728, 0.327 % of 22,565,376")
    assert named["head"].startswith("1,538")
    rows = table(sites)
    assert [row["layer"] for row in rows] == list("012345")
    assert rows[0] == {"layer": "0", "attention.query": "lora 8", "attention.value": "lora 8"}
    assert "sites" not in named, "what ships is what was trained"


def test_show_gives_what_ships_where_it_is_recorded(
    study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = (Placement("0.attention.query", "adalora", {"rank": 4}),)
    shipped = [{"site": "0.attention.query", "module": "lora", "settings": {"rank": 1}}]
    trial = results_fixture.trials()[0]
    trial = replace(
        trial,
        configuration=replace(trial.configuration, placements=held),
        provenance={**trial.provenance, "shipped": shipped},
    )
    found = results_fixture.of_trials((trial,))
    monkeypatch.setattr(results, "snapshot", lambda path: found)
    facts, sites = run("show", "0")[1].split("\n\n")
    named = dict(line.split("\t", 1) for line in facts.splitlines())
    assert named["modules"] == "adalora 4 on query"
    assert named["sites"] == "as shipped"
    assert table(sites)[0]["attention.query"] == "lora 1"
    data = document(run, "show", "0", "--format", "json")
    assert data["shipped"] == shipped
    assert "shipped" not in document(run, "front", "--json")["front"][0]


def test_show_json_and_yaml_say_the_same(study: Path, run: Run) -> None:
    data = document(run, "show", "best", "--format", "json")
    assert data["schema"] == "autopeft.trial/1"
    assert data["on_front"] is True
    assert data["shipped"] is None
    assert yaml.safe_load(run("show", "best", "--format", "yaml")[1]) == data


def test_show_python_builds_the_same_lora(study: Path, run: Run) -> None:
    made = results_fixture.make()
    lora = next(
        t
        for t in made.trials
        if t.state == "complete"
        and {p.module for p in t.configuration.placements} == {"lora"}
        and len({p.settings["rank"] for p in t.configuration.placements}) > 1
    )
    source = run("show", str(lora.number), "--format", "python")[1]
    names: dict[str, Any] = {}
    exec(source, names)
    config = names["config"]
    for placement in lora.configuration.placements:
        path = made.backbone.site(placement.site).path
        assert path in config.target_modules
        rank = config.rank_pattern.get(path, config.r)
        assert rank == placement.settings["rank"]
        assert config.alpha_pattern.get(path, config.lora_alpha) == 2.0 * rank
    assert len(config.target_modules) == len(lora.configuration.placements)


def test_python_is_for_lora_only(study: Path, run: Run) -> None:
    mixed = next(
        t
        for t in results_fixture.trials()
        if t.state == "complete"
        and "serial_adapter" in {p.module for p in t.configuration.placements}
    )
    code, out, err = run("show", str(mixed.number), "--format", "python")
    assert (code, out) == (1, "")
    assert "`serial_adapter` at" in err


def test_a_method_that_moves_ranks_is_sent_to_the_export(
    study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = (Placement("0.attention.query", "adalora", {"rank": 2}),)
    trial = results_fixture.trials()[0]
    configuration = replace(trial.configuration, placements=moved)
    found = results_fixture.of_trials((replace(trial, configuration=configuration),))
    monkeypatch.setattr(results, "snapshot", lambda path: replace(found, study="a.journal"))
    code, _, err = run("show", "0", "--format", "python")
    assert code == 1
    assert "`autopeft export a.journal 0 --to peft` writes the LoRA it became" in err


def test_against_shows_differences_with_errors(study: Path, run: Run) -> None:
    code, out, _ = run("show", "1", "--against", "0")
    numbers, sites = out.split("\n\n")
    accuracy = next(line for line in numbers.splitlines() if line.startswith("accuracy"))
    assert code == 0
    assert accuracy.endswith("points")
    assert "\N{PLUS-MINUS SIGN}" in accuracy.rsplit("\t", 1)[1]
    # The two differ everywhere but at the 12 queries and values.
    assert len(table(sites)) == 36 - 12


def test_a_trial_against_itself_differs_nowhere(study: Path, run: Run) -> None:
    assert "\n\n" not in run("show", "1", "--against", "1")[1]
