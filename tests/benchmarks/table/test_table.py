"""A small table is built, gone on with, merged and competed on; the stored ones are still true."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import contests
from tests.benchmarks.table import build as builder
from tests.benchmarks.table import contest as table_contest
from tests.benchmarks.table.contest import FOLDER, source
from tests.benchmarks.table.file import Table, entries, read
from tests.benchmarks.table.merge import merged

SPACE = "lora"
WORDS = ("good", "fine", "bad", "poor")


def options(root: Path, **others: object) -> argparse.Namespace:
    given = {"budget": 1.0, "steps": 2, "length": 16, "pack": 3, "configurations": 6}
    seeds = {"seeds": 2, "front_seeds": 3}
    return argparse.Namespace(data=root, folder=root, **{**given, **seeds, **others})


def add(root: Path, **others: object) -> int:
    return builder.build(options(root, **others), "toy", SPACE, until=math.inf)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("table")
    (root / "toy").mkdir()
    for name, count in (("train", 64), ("validation", 24), ("test", 24)):
        rows = [f"{WORDS[i % 4]} number {i},{int(i % 4 > 1)}" for i in range(count)]
        (root / "toy" / f"{name}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    assert add(root) >= 12
    return root


def test_every_configuration_has_its_seeds_and_every_training_its_rungs(built: Path) -> None:
    table = read(built / "toy.parquet")
    rungs: dict[tuple[str, int], list[int]] = {}
    for row in table.rows:
        rungs.setdefault((row.digest, row.seed), []).append(row.step)
    assert all(steps == sorted(set(steps)) and steps[-1] == 2 for steps in rungs.values())
    assert len(table.rows) == sum(map(len, rungs.values()))
    found = entries(table, SPACE)
    assert len(found) >= 6
    assert {len(entry.scores) for entry in found} <= {2, 3}
    assert max(len(entry.scores) for entry in found) == 3  # what is on the front
    assert str(built) not in str(table.facts)


def test_the_same_command_goes_on_where_it_stopped(built: Path) -> None:
    before = read(built / "toy.parquet")
    assert add(built) == 0
    assert add(built, configurations=7) >= 2
    after = read(built / "toy.parquet")
    assert after.rows[: len(before.rows)] == before.rows


def test_another_protocol_is_not_mixed_in(built: Path) -> None:
    with pytest.raises(ValueError, match="protocol for space `lora` are others"):
        add(built, steps=3)


def test_merging_keeps_each_training_once(built: Path) -> None:
    table = read(built / "toy.parquet")
    half = Table(table.rows[: len(table.rows) // 2], table.facts)
    assert merged([half, table]).rows == table.rows
    protocol = {**table.facts[SPACE]["protocol"], "batch": 8}
    other = Table(table.rows, {SPACE: {**table.facts[SPACE], "protocol": protocol}})
    with pytest.raises(ValueError, match="protocol"):
        merged([table, other])


def test_a_pool_observes_what_was_trained(built: Path) -> None:
    contest = contests.load("toy/lora/pool", seed=0, folder=built)
    known = {tuple(e.scores): e for e in entries(read(built / "toy.parquet"), SPACE)}
    rng = np.random.default_rng(0)
    scores = {score for entry in known.values() for score in entry.scores}
    assert all(contest.observe(point, rng)[0] in scores for point in contest.pool)
    assert set(contest.design) <= set(contest.pool)
    assert contest.best > 0
    assert contest.shares(contest.pool)[-1] == pytest.approx(1.0)


def test_an_ensemble_answers_for_any_configuration_and_costs_stay_exact(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_contest, "GENERATIONS", 2)
    contest = contests.load("toy/lora/surrogate:3", seed=0, folder=built)
    found = source("toy", SPACE, 2, folder=built)
    for entry in found.entries:
        point = found.space.point(entry.point)
        assert contest.costs(point) == (entry.trainable, entry.memory)
    point = contest.design[0]
    observed = [contest.observe(point, np.random.default_rng(seed)) for seed in range(400)]
    values, errors = np.array(observed).T
    assert abs(values.mean() - contest.truth(point)) <= 4 * errors[0] / 20
    assert values.std() == pytest.approx(errors[0], rel=0.15)


def test_a_training_without_an_end_is_left_out() -> None:
    table = read(FOLDER / "trec.parquet")
    first = next(row for row in table.of_space(SPACE) if row.share == 1.0)
    failed = dataclasses.replace(first, seed=first.seed + 9, score=math.nan, failure="diverged")
    kept = entries(table.with_rows([failed]), SPACE)
    assert len(kept) == len(entries(table, SPACE)) - 1


@pytest.mark.parametrize("task", builder.TASKS)
@pytest.mark.parametrize("space", builder.SPACES)
def test_stored_costs_are_those_of_today(task: str, space: str) -> None:
    found = source(task, space, 2)
    for entry in found.entries:
        price = found.prices.of(found.space.decode(found.space.point(entry.point)))
        assert price.costs == (entry.trainable, entry.memory)
