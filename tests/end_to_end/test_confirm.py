"""`autopeft confirm` on a study of a tiny model."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from autopeft import cli
from autopeft.confirmation import confirming
from autopeft.confirmation.candidates import candidates, foremost
from autopeft.confirmation.confirming import FIRST_SEED, confirm
from autopeft.errors import Interrupted, NothingFits
from autopeft.search import search
from autopeft.study import results
from autopeft.study.ledger import Ledger
from autopeft.study.recommendation import confirmed
from tests import tiny_bundle
from tests.listener import Listener


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_bundle.material(tmp_path_factory.mktemp("study"))
    path = folder / "study.journal"
    given = tiny_bundle.settings(folder, trials=10)
    search.run(given, path, Listener())
    return path


@pytest.fixture
def study(done: Path, tmp_path: Path) -> Path:
    path = tmp_path / "study.journal"
    shutil.copy(done, path)
    return path


def trained(study: Path) -> dict[str, list[str]]:
    stored = Ledger.open(study).recall(confirming.PREDICTIONS)
    return {number: list(seeds) for number, seeds in stored.items()}


def test_every_candidate_gets_the_same_two_new_seeds_at_least(study: Path) -> None:
    found, standings = confirm(study, seeds=3, progress=Listener())
    numbers = candidates(found)
    assert [s.number for s in standings] == numbers
    assert set(found.front) <= set(numbers)
    assert {t.number for t in found.trials if t.origin.startswith("baseline")} <= set(numbers)
    for standing in standings:
        seeds = trained(study)[str(standing.number)]
        assert seeds[:2] == [str(FIRST_SEED), str(FIRST_SEED + 1)]
        assert standing.seeds == len(seeds)
        assert (standing.seeds == 3) or standing.settled
    assert max(s.chance for s in standings) > 0


def test_what_is_confirmed_is_scored_on_the_report_split_only(study: Path) -> None:
    confirm(study, seeds=2, progress=Listener())
    found = results.snapshot(study)
    confirmation = found.info["confirmation"]
    assert confirmation["rows"] == found.info["splits"]["report"]
    stored = Ledger.open(study).recall(confirming.PREDICTIONS)
    assert {len(p) for mine in stored.values() for p in mine.values()} == {confirmation["rows"]}
    assert found.front == confirm(study, seeds=2, progress=Listener())[0].front


def test_the_same_command_again_trains_nothing_and_says_the_same(study: Path) -> None:
    _, first = confirm(study, seeds=2, progress=Listener())
    listener = Listener()
    _, again = confirm(study, seeds=2, progress=listener)
    assert again == first
    assert not any("training" in note for note in listener.notes)


def test_an_interruption_loses_no_pack(study: Path, tmp_path: Path) -> None:
    class Impatient(Listener):
        def stop_requested(self) -> bool:
            return True

    whole = tmp_path / "whole.journal"
    shutil.copy(study, whole)
    _, expected = confirm(whole, seeds=2, progress=Listener())
    packs = 0
    while True:
        try:
            _, found = confirm(study, seeds=2, progress=Impatient())
            break
        except Interrupted:
            packs += 1
            assert sum(map(len, trained(study).values())) >= packs
    assert packs > 1
    assert found == expected


def test_when_time_is_up_what_is_done_is_kept(study: Path) -> None:
    listener = Listener()
    _, standings = confirm(study, seeds=2, progress=listener, timeout=1e-9)
    assert standings == []
    assert any("time is up" in note for note in listener.notes)


def test_what_was_confirmed_before_is_shown_when_there_is_no_time(study: Path) -> None:
    found, before = confirm(study, seeds=2, progress=Listener())
    kept = {s.number for s in before[:3]}
    ledger = Ledger.open(study)
    stored = ledger.recall(confirming.PREDICTIONS)
    ledger.remember(
        confirming.PREDICTIONS, {n: mine for n, mine in stored.items() if int(n) in kept}
    )
    again, standings = confirm(study, seeds=2, progress=Listener(), timeout=1e-9)
    assert {s.number for s in standings} == kept
    assert set(again.info["confirmation"]["trials"]) == {str(number) for number in kept}
    assert found.front == again.front


def test_a_study_without_a_front_has_nothing_to_confirm(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = results.read

    def empty(ledger: Ledger) -> Any:
        return dataclasses.replace(read(ledger), front=())

    monkeypatch.setattr(results, "read", empty)
    with pytest.raises(NothingFits, match="no front to confirm"):
        confirm(study, seeds=2, progress=Listener())


def test_the_command_prints_a_table_and_json(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.main(words)
        found = capfd.readouterr()
        return code, found.out, found.err

    code, out, err = run("confirm", str(study), "--seeds", "2")
    assert code == 0
    assert "on the front" in out.splitlines()[0]
    assert "report split" in err
    code, out, _ = run("confirm", str(study), "--seeds", "2", "--json")
    document = json.loads(out)
    assert document["schema"] == "autopeft.confirm/1"
    assert all(trial["seeds"] == 2 for trial in document["trials"])
    code, _, err = run("confirm", str(study), "--seeds", "1")
    assert code == 2
    assert "at least 2" in err


def test_a_search_confirms_what_it_recommends_against_defaults_at_the_end(tmp_path: Path) -> None:
    given = tiny_bundle.settings(tiny_bundle.material(tmp_path), trials=8, confirm=True)
    listener = Listener()
    found = search.run(given, tmp_path / "s.journal", listener)
    known = {int(number) for number in found.info["confirmation"]["trials"]}
    assert known == set(foremost(found, most=search.CONFIRMED))
    named = {results.choose(found, which).number for which in ("smallest", "best", "knee")}
    assert named <= known
    missing = set(found.front) - known
    assert any("flatter" in sentence for sentence in found.info["health"]) == bool(missing)
    differences = found.info["confirmation"]["against_defaults"]["differences"]
    defaults = {t.number for t in found.trials if t.default}
    assert set(map(int, differences)) == known & defaults - {
        found.info["confirmation"]["against_defaults"]["trial"]
    }
    assert differences
    assert len(confirmed(found)) == len(differences)
    again = Listener()
    assert search.run(given, tmp_path / "s.journal", again).info == found.info
    assert any("report split" in note for note in listener.notes)
    assert not any("training" in note for note in again.notes)


def test_a_search_out_of_time_leaves_confirming_to_the_next_run(tmp_path: Path) -> None:
    material = tiny_bundle.material(tmp_path)
    given = tiny_bundle.settings(material, trials=8, confirm=True)
    path = tmp_path / "s.journal"
    search.run(tiny_bundle.settings(material, trials=8), path, Listener())
    short = dataclasses.replace(given, timeout=1e-9)
    assert search.run(short, path, Listener()).info["confirmation"] is None
    assert search.run(given, path, Listener()).info["confirmation"] is not None
