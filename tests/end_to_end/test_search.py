"""A whole search on a tiny model: budget, determinism, resume, kill, memory, divergence."""

from __future__ import annotations

import math
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autopeft import weights
from autopeft.errors import Interrupted, NothingFits, StudyError, UsageError
from autopeft.evaluate import Evaluator
from autopeft.search import search
from autopeft.study import results
from autopeft.training import loop
from autopeft.training.pack import Pack
from autopeft.types import Results
from tests import forked_search, tiny_bundle
from tests.listener import Listener
from tests.tiny_bundle import settings


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle.material(tmp_path_factory.mktemp("material"))


def table(found: Results) -> list[tuple[int, str, dict[str, float]]]:
    """Everything that must not depend on interruptions."""
    return [
        (t.number, t.digest, {name: m.value for name, m in t.objectives.items()})
        for t in found.trials
    ]


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    path = tmp_path_factory.mktemp("whole") / "study.journal"
    return path, search.run(settings(place), path, Listener(), command="autopeft search ...")


def test_every_trial_is_within_the_budget_and_none_is_tried_twice(
    whole: tuple[Path, Results],
) -> None:
    _, found = whole
    assert len(found.trials) == 12
    assert {t.state for t in found.trials} == {"complete"}
    assert all(t.feasible for t in found.trials)
    assert all(t.objectives["trainable_parameters"].value <= 20.0 for t in found.trials)
    assert len({t.digest for t in found.trials}) == 12


def test_the_defaults_come_first(whole: tuple[Path, Results]) -> None:
    _, found = whole
    origins = [t.origin for t in found.trials]
    first = [o.startswith("baseline:") for o in origins]
    assert first == sorted(first, reverse=True)
    assert "baseline: head only" in origins
    assert origins[0].startswith("baseline: LoRA")
    assert any(o.startswith("importance") for o in origins)


def test_a_record_says_what_ran(whole: tuple[Path, Results]) -> None:
    _, found = whole
    for trial in found.trials:
        about = trial.provenance
        assert about["split"] == "search-validation"
        assert about["metric"] == "accuracy"
        assert about["seeds"] == [0]
        assert about["steps"] == 4
        assert [c["step"] for c in about["curve"]] == [1, 2, 4]
        rows = found.info["splits"]["search-validation"]
        assert len(about["predictions"]) == about["rows"] == rows
        assert trial.measurements["memory_predicted"].value > 0
        assert trial.objectives["accuracy"].error > 0 or trial.objectives["accuracy"].value in (
            0,
            100,
        )


def test_the_front_is_not_dominated_and_its_weights_are_kept(whole: tuple[Path, Results]) -> None:
    path, found = whole
    front = [found.trial(number) for number in found.front]
    for one in front:
        for other in found.trials:
            better = [
                other.objectives["accuracy"].value >= one.objectives["accuracy"].value,
                other.objectives["trainable_parameters"].value
                <= one.objectives["trainable_parameters"].value,
                other.objectives["peak_memory"].value <= one.objectives["peak_memory"].value,
            ]
            same = [m.value for m in other.objectives.values()] == [
                m.value for m in one.objectives.values()
            ]
            assert same or not all(better)
    kept = {int(file.stem) for file in weights.folder(path).iterdir()}
    assert kept == set(found.front)


def test_reading_needs_neither_model_nor_data(whole: tuple[Path, Results]) -> None:
    path, found = whole
    again = results.snapshot(path)
    assert table(again) == table(found)
    assert again.front == found.front
    assert again.backbone.parameters == found.backbone.parameters
    assert again.info["digests"].keys() == {"space", "data", "model"}


def test_the_same_command_again_trains_nothing(place: Path, whole: tuple[Path, Results]) -> None:
    path, found = whole
    listener = Listener()
    assert table(search.run(settings(place), path, listener)) == table(found)
    assert listener.trials_finished == []


def test_more_trials_later_continue_the_same_search(
    place: Path, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    path = tmp_path / "study.journal"
    search.run(settings(place, trials=7), path, Listener())
    listener = Listener()
    found = search.run(settings(place), path, listener)
    assert [t.digest for t in found.trials] == [t.digest for t in whole[1].trials]
    assert len(listener.trials_finished) == 5


def test_stopping_and_going_on_gives_the_same_search(
    place: Path, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    path = tmp_path / "study.journal"
    for stop in (1, 3, 2):
        with pytest.raises(Interrupted):
            search.run(settings(place), path, Listener(stop_after=stop))
    assert table(search.run(settings(place), path, Listener())) == table(whole[1])


def test_kill_at_random_moments_then_the_same_trials(
    place: Path, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    """SIGKILL loses at most the pack in flight, which runs again as it was asked."""
    path = tmp_path / "killed.journal"
    rng = random.Random(1)
    for _ in range(3):
        size = path.stat().st_size if path.exists() else 0
        enough = size + rng.randint(1_000, 20_000)
        process = forked_search.start(settings(place), path)
        while process.is_alive() and (not path.exists() or path.stat().st_size < enough):
            time.sleep(0.01)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "it had ended before"
    process = forked_search.start(settings(place), path)
    process.join(timeout=240)
    assert process.exitcode == 0
    assert table(results.snapshot(path)) == table(whole[1])


def test_an_unfinished_last_line_is_dropped(
    place: Path, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    path = tmp_path / "study.journal"
    path.write_bytes(whole[0].read_bytes() + b'{"op_code": 4, "wor')
    assert table(search.run(settings(place), path, Listener())) == table(whole[1])


def test_running_out_of_memory_halves_the_pack_and_loses_nothing(
    place: Path, whole: tuple[Path, Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., Any] = Evaluator._train

    def tight(self: Evaluator, configurations: Any, *rest: Any) -> Any:
        if len(configurations) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return original(self, configurations, *rest)

    monkeypatch.setattr(Evaluator, "_train", tight)
    found = search.run(settings(place, trials=6), tmp_path / "study.journal", Listener())
    assert [t.digest for t in found.trials] == [t.digest for t in whole[1].trials[:6]]
    assert {t.state for t in found.trials} == {"complete"}


def test_a_configuration_that_fails_alone_is_recorded_once(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Evaluator, *given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(Evaluator, "_train", never)
    path = tmp_path / "study.journal"
    found = search.run(settings(place, trials=6), path, Listener())
    assert {t.state for t in found.trials} == {"failed"}
    assert all("out of memory" in t.message for t in found.trials)
    listener = Listener()
    search.run(settings(place, trials=6), path, listener)
    assert listener.trials_finished == []


@pytest.mark.parametrize("seed", range(4))
def test_out_of_memory_at_any_step_loses_no_trial(
    place: Path,
    whole: tuple[Path, Results],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    seed: int,
) -> None:
    draw = random.Random(seed)
    doomed = {draw.randrange(70) for _ in range(5)}
    hungry = draw.choice(whole[1].trials).configuration
    steps = iter(range(10_000))
    original = loop.train_step

    def step(model: Any, pack: Pack, *rest: Any, **more: Any) -> torch.Tensor:
        if next(steps) in doomed or hungry in [job.configuration for job in pack.jobs]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return original(model, pack, *rest, **more)

    def trained(self: Evaluator, *given: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(loop, "train_step", step)
            return train(self, *given)

    train = Evaluator._train
    monkeypatch.setattr(Evaluator, "_train", trained)
    given = settings(place, early_stopping=False)
    found = search.run(given, tmp_path / "study.journal", Listener())
    failed = [t for t in found.trials if t.state == "failed"]
    assert len(found.trials) == 12
    assert {t.state for t in found.trials} <= {"complete", "failed"}
    assert all(t.message.startswith("out of memory when trained alone") for t in failed)
    assert all(t.measurements["memory_predicted"].value > 0 for t in failed)
    assert hungry in [t.configuration for t in failed] or hungry not in [
        t.configuration for t in found.trials
    ]
    assert len({t.digest for t in found.trials}) == 12


def test_a_divergence_is_a_failed_trial_and_spares_its_neighbours(
    place: Path, tmp_path: Path
) -> None:
    space = tmp_path / "wild.yaml"
    space.write_text(
        "name: wild\nmodules: [lora]\ndimensions:\n"
        "  lora.rank: {choice: [1, 2, 3, 4]}\n"
        "  learning_rate: {choice: [1.0e+30]}\n"
    )
    given = settings(
        place,
        space=str(space),
        trials=20,
        budget=100.0,
        objectives=("accuracy", "trainable_parameters"),
    )
    listener = Listener()
    found = search.run(given, tmp_path / "study.journal", listener)
    wild = [t for t in found.trials if not t.origin.startswith("baseline")]
    assert {t.state for t in wild} == {"failed"}
    assert all("diverged" in t.message for t in wild)
    calm = [t for t in found.trials if t.origin.startswith("baseline")]
    assert {t.state for t in calm} == {"complete"}
    assert any("every configuration" in note for note in listener.notes)
    assert len(wild) == 4


@pytest.mark.parametrize("sampler", ["random", "nsga2", "tpe", "gp"])
@pytest.mark.parametrize("space", ["lora", "autopeft", "spt"])
def test_every_sampler_and_space_runs(
    place: Path, tmp_path: Path, sampler: str, space: str
) -> None:
    if space != "lora" and sampler in ("nsga2", "tpe"):
        pytest.skip("samplers are tried on each kind of space once")
    given = settings(place, sampler=sampler, space=space, trials=20, steps=2, budget=30.0)
    found = search.run(given, tmp_path / "study.journal", Listener())
    assert len({t.digest for t in found.trials}) == len(found.trials) == 20
    assert all(t.feasible for t in found.trials)


def test_seeds_narrow_nothing_but_are_all_used(place: Path, tmp_path: Path) -> None:
    found = search.run(settings(place, trials=3, seeds=2), tmp_path / "s.journal", Listener())
    assert all(t.provenance["seeds"] == [0, 1] for t in found.trials)


def test_a_memory_limit_keeps_configurations_out(
    place: Path, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    used = sorted(t.objectives["peak_memory"].value for t in whole[1].trials)
    limit = int(used[len(used) // 2])
    found = search.run(settings(place, memory=limit), tmp_path / "s.journal", Listener())
    searched = [t for t in found.trials if not t.origin.startswith("baseline")]
    assert searched
    assert all(t.objectives["peak_memory"].value <= limit for t in searched)


def test_a_budget_below_the_smallest_configuration(place: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingFits, match="smallest has") as caught:
        search.run(settings(place, budget=1e-6), tmp_path / "s.journal", Listener())
    assert caught.value.exit_code == 3
    assert "--budget" in caught.value.hint
    assert not (tmp_path / "s.journal").exists()


def test_a_changed_option_or_space_or_data_is_refused(
    place: Path, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    path = whole[0]
    before = path.read_bytes()
    with pytest.raises(StudyError, match="--steps `4`, not `5`"):
        search.run(settings(place, steps=5), path, Listener())
    with pytest.raises(StudyError, match="--space"):
        search.run(settings(place, space="lora"), path, Listener())
    assert path.read_bytes() == before


def test_a_space_that_changed_since_the_study_began(place: Path, tmp_path: Path) -> None:
    space = tmp_path / "mine.yaml"
    text = (
        "name: mine\nmodules: [lora]\ndimensions:\n"
        "  lora.rank: {choice: [1, 2, 4], per: layer}\n"
        "  learning_rate: {float: [1.0e-4, 1.0e-2], log: true}\n"
    )
    space.write_text(text)
    given = settings(place, space=str(space), trials=3)
    search.run(given, tmp_path / "s.journal", Listener())
    space.write_text(text.replace("4]", "8]"))
    with pytest.raises(StudyError, match="space has changed"):
        search.run(given, tmp_path / "s.journal", Listener())


def test_data_that_changed_since_the_study_began(place: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text((place / "rows.jsonl").read_text())
    given = settings(place, dataset=str(data), trials=2)
    search.run(given, tmp_path / "s.journal", Listener())
    data.write_text(data.read_text().replace("w1 ", "w2 "))
    with pytest.raises(StudyError, match="data has changed"):
        search.run(given, tmp_path / "s.journal", Listener())


def test_two_processes_cannot_search_in_one_study(place: Path, whole: tuple[Path, Results]) -> None:
    from autopeft.study import journal

    with journal.locked(whole[0]), pytest.raises(StudyError, match="another process"):
        search.run(settings(place), whole[0], Listener())


@pytest.mark.parametrize("content", [b"", b"not a journal\n", b'{"a": 1}\n', b"\x00\xff\n\n"])
def test_a_foreign_or_damaged_file_is_left_alone(
    place: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "s.journal"
    path.write_bytes(content)
    with pytest.raises(StudyError, match="not an AutoPEFT study"):
        search.run(settings(place), path, Listener())
    with pytest.raises(StudyError, match="not an AutoPEFT study"):
        results.snapshot(path)
    assert path.read_bytes() == content


def test_damage_in_the_middle_is_one_sentence(
    place: Path, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    lines = whole[0].read_bytes().splitlines(keepends=True)
    path = tmp_path / "s.journal"
    path.write_bytes(b"".join([*lines[:10], b"garbage\n", *lines[10:]]))
    with pytest.raises(StudyError, match="damaged"):
        results.snapshot(path)


def test_a_full_disk_loses_no_finished_trial(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.storages.journal import JournalFileBackend

    path = tmp_path / "s.journal"
    original: Callable[..., Any] = JournalFileBackend.append_logs
    written = 0

    def full(self: Any, logs: Any) -> None:
        nonlocal written
        written += 1
        if written > 60:
            raise OSError(28, "No space left on device")
        original(self, logs)

    monkeypatch.setattr(JournalFileBackend, "append_logs", full)
    with pytest.raises(StudyError, match="No space left"):
        search.run(settings(place, trials=8), path, Listener())
    monkeypatch.undo()
    finished = [t for t in results.snapshot(path).trials if t.state == "complete"]
    found = search.run(settings(place, trials=8), path, Listener())
    assert len(finished) > 0
    assert table(found)[: len(finished)] == table(replace(found, trials=tuple(finished)))


def test_objectives_must_make_sense(place: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exactly one objective"):
        search.run(settings(place, objectives=("peak_memory",)), tmp_path / "s.journal", Listener())
    with pytest.raises(UsageError, match="twice"):
        search.run(
            settings(place, objectives=("accuracy", "accuracy")), tmp_path / "s.journal", Listener()
        )
    alone = search.run(
        settings(place, objectives=("accuracy",), trials=8), tmp_path / "a.journal", Listener()
    )
    assert len(alone.front) == 1


def test_choosing_a_trial(whole: tuple[Path, Results]) -> None:
    _, found = whole
    best = results.choose(found, "best")
    assert best.objectives["accuracy"].value == max(
        t.objectives["accuracy"].value for t in found.trials
    )
    assert results.choose(found, "smallest").number in found.front
    assert results.choose(found, "knee").number in found.front
    assert results.choose(found, "3").number == 3
    for wrong in ("99", "bset", "-1"):
        with pytest.raises(UsageError):
            results.choose(found, wrong)


def test_without_a_proxy_every_trial_trains_three_epochs(place: Path, tmp_path: Path) -> None:
    given = settings(place, proxy="none", steps=0, batch=32, trials=2)
    found = search.run(given, tmp_path / "s.journal", Listener())
    rows = found.info["splits"]["search-train"]
    assert {t.provenance["steps"] for t in found.trials} == {3 * math.ceil(rows / 32)}
    with pytest.raises(UsageError, match="unknown proxy `full`"):
        settings(place, proxy="full")
