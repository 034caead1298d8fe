"""`autopeft search --warm-start` on studies of tiny models."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from autopeft.errors import StudyError, UsageError
from autopeft.search import search
from autopeft.study import results
from autopeft.study.ledger import Ledger, measurements_json
from autopeft.types import Measured
from tests import tiny_bundle
from tests.listener import Listener


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle.material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def chance(material: Path) -> Path:
    """Of a random model in four steps: no configuration is better than another."""
    path = material / "chance.journal"
    search.run(tiny_bundle.settings(material, trials=12), path, Listener())
    return path


@pytest.fixture(scope="module")
def earlier(material: Path, chance: Path) -> Path:
    """The same trials, the larger the better."""
    path = material / "earlier.journal"
    old = Ledger.open(chance)
    known = results.read(old)
    directions = {objective.name: objective.direction for objective in known.objectives}
    ledger = Ledger.create(path, directions, old.about)
    for trial in known.trials:
        grown = Measured(trial.measurements["trainable"].value / 100, 0.5)
        values = {**trial.objectives, next(iter(directions)): grown}
        number = ledger.ask_baseline(trial.configuration, "known").number
        ledger.tell(number, values, {"measurements": measurements_json(trial.measurements)})
    return path


def test_a_search_begins_with_the_earlier_front(
    material: Path, earlier: Path, tmp_path: Path
) -> None:
    given = tiny_bundle.settings(material, trials=11, steps=2, warm_start=str(earlier), seed=5)
    path = tmp_path / "s.journal"
    found = search.run(given, path, Listener())
    warm = [t for t in found.trials if t.origin == "warm start"]
    old = results.snapshot(earlier)
    front = {old.trial(number).digest for number in old.front}
    assert warm
    assert {t.digest for t in warm} <= front
    assert all(t.number < 11 for t in warm)
    guesses = [t.user_attrs["guess"] for t in Ledger.open(path).trials()]
    assert len(set(guesses)) > len(guesses) / 2


def test_scores_of_chance_are_refused_before_anything_is_begun(
    material: Path, chance: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s.journal"
    given = tiny_bundle.settings(material, warm_start=str(chance))
    with pytest.raises(UsageError, match=r"chance\.journal` do not follow from") as refused:
        search.run(given, path, Listener())
    assert "search without" in refused.value.hint
    assert not path.exists()


def test_it_goes_on_without_the_earlier_study(
    material: Path, earlier: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.journal"
    copy.write_bytes(earlier.read_bytes())
    given = tiny_bundle.settings(material, trials=10, steps=2, warm_start=str(copy))
    whole = search.run(given, tmp_path / "whole.journal", Listener())
    path = tmp_path / "s.journal"
    search.run(dataclasses.replace(given, trials=8), path, Listener())
    copy.unlink()
    assert [t.digest for t in search.run(given, path, Listener()).trials] == [
        t.digest for t in whole.trials
    ]
    with pytest.raises(StudyError, match="was begun with --warm-start"):
        search.run(dataclasses.replace(given, warm_start=""), path, Listener())


def test_a_study_that_is_not_there_is_named(material: Path, tmp_path: Path) -> None:
    given = tiny_bundle.settings(material, warm_start=str(tmp_path / "none.journal"))
    with pytest.raises(StudyError, match=r"none\.journal"):
        search.run(given, tmp_path / "s.journal", Listener())
    assert not (tmp_path / "s.journal").exists()
