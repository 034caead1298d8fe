"""A search that stops at rungs what has no chance, and goes on after an end between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autopeft import weights
from autopeft.errors import Interrupted
from autopeft.rungs import promotion
from autopeft.rungs.promotion import Outlook
from autopeft.search import search
from autopeft.settings import Settings
from autopeft.study import results
from autopeft.types import Measured, Results
from tests import tiny_bundle
from tests.listener import Listener
from tests.tiny_bundle import settings

DEFAULTS = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle.material(tmp_path_factory.mktemp("material"))


def every_second_has_no_chance(
    monkeypatch: pytest.MonkeyPatch, *, when: Callable[[int], bool]
) -> None:
    """While so many trials have ended; the rule itself is tested elsewhere."""
    seen: dict[tuple[object, ...], bool] = {}

    def outlook(early: Any, costs: Any, finished: Any) -> Outlook | None:
        if not finished:
            return None
        odd = seen.setdefault((early, *costs), len(seen) % 2 == 1)
        chance = 0.01 if odd and when(len(finished)) else 0.5
        return Outlook(Measured(12.0, 3.0), chance, 0.5, finished[0].number)

    monkeypatch.setattr(promotion, "outlook", outlook)


@pytest.fixture
def hopeless_when_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    every_second_has_no_chance(monkeypatch, when=lambda ended: True)


def states(found: Results) -> list[str]:
    return [trial.state for trial in found.trials]


def test_the_hopeless_are_stopped_and_told(
    place: Path, tmp_path: Path, hopeless_when_odd: None
) -> None:
    listener = Listener()
    found = search.run(settings(place, trials=15, pack=3), tmp_path / "s.journal", listener)
    stopped = [t for t in found.trials if t.state == "stopped"]
    assert stopped
    assert set(states(found)) == {"complete", "stopped"}
    assert len(listener.trials_finished) == len(found.trials) == 15
    for trial in stopped:
        last = trial.provenance["curve"][-1]["step"]
        assert trial.message.startswith(f"stopped after {last} of 4 steps: 1% chance")
        assert [point["step"] for point in trial.provenance["curve"]] == [1, 2][:last]
        assert trial.provenance["steps"] == last
        assert trial.objectives == {}
        assert trial.number not in found.front
        assert "score" not in trial.measurements
        assert trial.measurements["seconds"].value > 0
    assert not any(t.origin.startswith("baseline") for t in stopped)
    assert {f.stem for f in weights.folder(tmp_path / "s.journal").iterdir()} == {
        str(number) for number in found.front
    }


def test_all_are_trained_when_asked_to(
    place: Path, tmp_path: Path, hopeless_when_odd: None
) -> None:
    given = settings(place, trials=15, pack=3, early_stopping=False)
    assert set(states(search.run(given, tmp_path / "s.journal", Listener()))) == {"complete"}


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_other_samplers_bear_with_what_was_stopped(
    place: Path, tmp_path: Path, hopeless_when_odd: None, sampler: str
) -> None:
    given = settings(place, pack=3, sampler=sampler, trials=14)
    found = search.run(given, tmp_path / "s.journal", Listener())
    assert states(found).count("stopped") > 0
    assert len({t.digest for t in found.trials}) == 14


def test_an_end_between_the_rungs_loses_no_pack(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(place, trials=8, pack=4)
    whole = search.run(given, tmp_path / "whole.journal", Listener())
    path = tmp_path / "s.journal"
    trained: list[tuple[int, int]] = []
    original = search.RungTraining._announce

    def announce(self: Any, configurations: Any, rung: Any) -> None:
        trained.append((rung.end, len(configurations)))
        original(self, configurations, rung)

    monkeypatch.setattr(search.RungTraining, "_announce", announce)

    class Impatient(Listener):
        def stop_requested(self) -> bool:
            return True

    for _ in range(30):
        before = len(trained)
        try:
            found = search.run(given, path, Impatient())
            break
        except Interrupted:
            assert len(trained) == before + 1, "one pack, and it is kept"
    assert results.snapshot(path).front == whole.front
    assert [t.digest for t in found.trials] == [t.digest for t in whole.trials]
    for mine, theirs in zip(found.trials, whole.trials, strict=True):
        assert {n: m.value for n, m in mine.objectives.items()} == {
            n: m.value for n, m in theirs.objectives.items()
        }
    assert sum(width for end, width in trained if end == 1) == 8
    assert sum(width for end, width in trained if end == 2) == 8
    assert sum(width for end, width in trained if end == 4) == 8


@pytest.fixture
def misjudged_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    every_second_has_no_chance(monkeypatch, when=lambda ended: ended == DEFAULTS)


def test_what_was_stopped_in_error_is_trained_after_all(
    place: Path, tmp_path: Path, misjudged_at_first: None
) -> None:
    """Also in a search that is interrupted after every pack."""
    given = settings(place, trials=DEFAULTS + 8, pack=4)
    found = search.run(given, tmp_path / "whole.journal", Listener())
    assert sum(t.origin.startswith("baseline") for t in found.trials) == DEFAULTS
    stopped = [t for t in found.trials if t.state == "stopped"]
    again = [t for t in found.trials if t.origin.startswith("again")]
    assert [t.origin for t in again] == [f"again: trial {t.number}" for t in stopped] != []
    for first, second in zip(stopped, again, strict=True):
        assert second.state == "complete"
        assert (second.configuration, second.point) == (first.configuration, first.point)
        curve = second.provenance["curve"]
        assert curve[: len(first.provenance["curve"])] == first.provenance["curve"]
    assert len({t.digest for t in found.trials}) == len(found.trials) - len(again)
    assert [(t.digest, t.origin) for t in interrupted(given, tmp_path).trials] == [
        (t.digest, t.origin) for t in found.trials
    ]


def interrupted(given: Settings, folder: Path) -> Results:
    """The search, ended after every pack and begun again."""

    class Impatient(Listener):
        def stop_requested(self) -> bool:
            return True

    for _ in range(40):
        try:
            return search.run(given, folder / "s.journal", Impatient())
        except Interrupted:
            pass
    raise AssertionError("it never ended")
