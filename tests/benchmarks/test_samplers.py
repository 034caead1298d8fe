"""The competition itself: what is counted, and that no sampler is given more than another."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from autopeft import pareto
from autopeft.errors import MissingError, UsageError
from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.history import History
from tests import toy_problem
from tests.benchmarks import contests, rivals, samplers
from tests.benchmarks.autopeft_recipe import copula, local_search
from tests.benchmarks.contest import Contest, hypervolume
from tests.benchmarks.rivals import RIVALS
from tests.benchmarks.samplers import run
from tests.benchmarks.standings import summary

SPACE = toy_problem.expanded(toy_problem.SWITCHES, layers=2)
PROBLEM = toy_problem.problem(SPACE, limit=200.0)
LIMITS = (210.0,)
QUICK = ("ours", "random", "nsga2", "tpe")


def truth(point: Sequence[int]) -> float:
    return toy_problem.score(SPACE.decode(tuple(point)))


@cache
def everything() -> tuple[tuple[int, ...], ...]:
    """One point for every feasible configuration."""
    candidates = Candidates(PROBLEM)
    axes = [range(len(dimension.values)) for dimension in SPACE.dimensions]
    found = (candidates.feasible(point) for point in itertools.product(*axes))
    return tuple({c.identity: candidates.canonical(c).point for c in found if c}.values())


@pytest.fixture(scope="module")
def contest() -> Contest:
    rows = [(truth(p), *PROBLEM.costs(SPACE.decode(p))) for p in everything()]
    return Contest(
        "toy",
        PROBLEM,
        design=(),
        truth=truth,
        observe=lambda point, rng: (truth(point) + 0.01 * float(rng.normal()), 0.01),
        floor=0.4,
        limits=LIMITS,
        best=hypervolume(rows, floor=0.4, limits=LIMITS),
    )


@pytest.mark.parametrize("name", QUICK)
def test_a_search_counts_true_values_and_every_trial_once(contest: Contest, name: str) -> None:
    found = run(contest, RIVALS[name], seed=1, trials=14, batch=4)
    assert len(found["shares"]) == 14
    assert found["shares"] == sorted(found["shares"])
    assert found["duplicates"] == 0
    assert 0 < found["shares"][-1] <= 1
    assert run(contest, RIVALS[name], seed=1, trials=14, batch=4)["shares"] == found["shares"]


def test_the_true_front_has_all_of_the_hypervolume(contest: Contest) -> None:
    points = everything()
    rows = [(truth(point), *contest.costs(point)) for point in points]
    front = [points[i] for i in pareto.front(rows, PROBLEM.directions)]
    assert contest.shares(front)[-1] == pytest.approx(1.0)
    assert contest.shares(front[:-1])[-1] < 1


@pytest.mark.parametrize("name", QUICK)
def test_a_pool_is_tried_by_half_and_never_left(
    contest: Contest, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = everything()[::25]
    tried: list[tuple[int, ...]] = []
    monkeypatch.setattr(Contest, "shares", lambda self, points: tried.extend(points))
    pooled = Contest(**{**vars(contest), "pool": pool})
    run(pooled, RIVALS[name], seed=0, trials=100, batch=4)
    assert len(tried) == len(set(tried)) == len(pool) // 2
    assert set(tried) <= set(pool)


def test_trials_to_the_best_peer_are_those_of_the_median() -> None:
    def entries(sampler: str, *searches: list[float]) -> list[dict[str, Any]]:
        shared = {"problem": "toy", "sampler": sampler, "seconds": 1.0, "slowest": 1.0}
        return [{**shared, "seed": i, "shares": s, "duplicates": 0} for i, s in enumerate(searches)]

    found = summary(
        [
            *entries("ours", [0.1, 0.5, 0.6, 0.9], [0.1, 0.7, 0.8, 0.9], [0.1, 0.6, 0.9, 0.9]),
            *entries("random", [0.1, 0.2, 0.2, 0.3]),
            *entries("tpe", [0.1, 0.2, 0.6, 0.7], [0.1, 0.2, 0.6, 0.8], [0.1, 0.2, 0.6, 0.6]),
        ]
    )
    assert [row["sampler"] for row in found] == ["ours", "tpe", "random"]
    assert found[0]["trials_to_best_peer"] == 3
    assert found[0]["trials_to_random"] == 2
    assert found[2]["trials_to_best_peer"] is None
    assert found[0]["after"] == {"1": 0.1, "2": 0.6, "4": 0.9}


@pytest.mark.parametrize("name", ["rank61", "trec/lora", "trec/lora/puddle", "trec/nowhere/pool"])
def test_a_problem_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=name.split("/")[0]):
        contests.load(name, 0)


def test_a_missing_package_ends_the_competition_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_integration", None)
    with pytest.raises(MissingError, match="optuna-integration"):
        rivals.botorch(PROBLEM, 0)
    command = "samplers --problem trec/lora/pool --sampler botorch --seeds 1 --trials 4"
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as ended:
        samplers.main()
    assert ended.value.code == MissingError.exit_code
    assert "pip install" in capsys.readouterr().err


def test_scores_of_ranks_keep_the_order_and_forget_the_scale() -> None:
    values = np.array([[3.0, 1.0], [1.0, 100.0], [2.0, 10.0], [2.0, 1e9]])
    scores = copula(values)
    assert np.isfinite(scores).all()
    assert scores[1, 0] < scores[2, 0] == scores[3, 0] < scores[0, 0]
    assert np.array_equal(scores, copula(np.exp(values / values.max(axis=0))))


@pytest.mark.parametrize("front", [everything()[:1], everything()[3:9]])
def test_the_published_local_search_climbs_to_what_is_new(front: Sequence[Any]) -> None:
    candidates = Candidates(PROBLEM)
    seen = frozenset(c.identity for c in candidates.describe(list(front)))
    found = local_search(
        candidates,
        front,
        lambda some: [truth(c.point) for c in some],
        History((), (), seen),
        np.random.default_rng(0),
    )
    assert found is not None
    candidate = candidates.feasible(found)
    assert candidate is not None
    assert candidate.identity not in seen
    assert truth(found) == pytest.approx(max(map(truth, everything())), abs=0.02)
