"""A table of real trainings as a contest, in two modes.

*Pool*: only the table's configurations can be tried; the truth is the mean over their seeds, and an
observation is one of them. *Surrogate*: an ensemble of trees fitted to the table answers for any
configuration of the space, with noise drawn as the replicates scatter.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from autopeft import about, catalog
from autopeft.optimiser.grid import Grid
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.problem import Price, Problem
from autopeft.space import Space
from autopeft.space_expansion import expand
from autopeft.types import Backbone, Configuration, Placement, Point
from tests.benchmarks.contest import Contest, hypervolume
from tests.benchmarks.elites import best_per_bucket
from tests.benchmarks.table.file import Entry, entries, read

FOLDER = Path(__file__).parent
DESIGN = 12
GENERATIONS = 200
FOLDS = 5


class Prices:
    """Parameters of a real backbone, whole and by layer."""

    def __init__(self, backbone: Backbone, limit: float) -> None:
        self.backbone, self.limit = backbone, limit
        self.modules = catalog.modules.all()

    def of_layer(self, layer: int, placements: Sequence[Placement]) -> tuple[float, ...]:
        """Parameters of a layer."""
        return (sum(map(self._count, placements)),)

    def total(self, layers: Sequence[int], parts: np.ndarray) -> list[Price]:
        """Prices of configurations from the parameters of their layers."""
        return [self._price(size) for size in parts[:, :, 0].sum(axis=1).tolist()]

    def of(self, configuration: Configuration) -> Price:
        """The price of one configuration."""
        return self._price(sum(map(self._count, configuration.placements)))

    def _count(self, placement: Placement) -> float:
        site = self.backbone.site(placement.site)
        return float(self.modules[placement.module].count(site, placement.settings).parameters)

    def _price(self, size: float) -> Price:
        return Price((size,), size, 0 < size <= self.limit)


@lru_cache(maxsize=4)
def contest(task: str, space_name: str, mode: str, seed: int) -> Contest:
    """The contest of a task and a space; `mode` is `pool` or `surrogate`.

    Raises:
        FileNotFoundError: the table has not been built.
    """
    table = read(FOLDER / f"{task}.parquet")
    if space_name not in table.facts:
        raise FileNotFoundError(f"no table of {task} {space_name}; see tests/benchmarks/table")
    facts = table.facts[space_name]
    backbone = about.backbone(facts)
    space = expand(catalog.spaces.load(space_name), backbone, catalog.modules.all())
    found = entries(table, space_name)
    limit = facts["budget_percent"] / 100 * backbone.parameters
    problem = _problem(space, Prices(backbone, limit), limit, seed)
    build = _pool if mode == "pool" else _surrogate
    return build(f"{task}/{space_name}/{mode}", problem, found, limit)


def _problem(space: Space, prices: Prices, limit: float, seed: int) -> Problem:
    return Problem(
        space=space,
        directions=("maximize", "minimize"),
        modelled=0,
        costs=lambda c: (prices.of(c).size,),
        feasible=lambda c: prices.of(c).feasible,
        limits=(float(limit),),
        design=(),
        seed=seed,
        stratify=lambda c: prices.of(c).size,
        layered=prices,
    )


def _pool(name: str, problem: Problem, found: Sequence[Entry], limit: float) -> Contest:
    by_point = {problem.space.point(entry.point): entry for entry in found}
    floor = min(entry.score for entry in found)
    rows = [(entry.score, float(entry.trainable)) for entry in found]

    def observe(point: Point, rng: np.random.Generator) -> tuple[float, float]:
        entry = by_point[point]
        return entry.scores[int(rng.integers(len(entry.scores)))], entry.error

    return Contest(
        name,
        problem,
        _strata(by_point),
        truth=lambda point: by_point[point].score,
        observe=observe,
        floor=floor,
        limits=(limit * 1.01,),
        best=hypervolume(rows, floor=floor, limits=(limit * 1.01,)),
        pool=tuple(by_point),
    )


def _strata(by_point: dict[Point, Entry]) -> tuple[Point, ...]:
    """Points of the pool at even ranks of size."""
    ordered = sorted(by_point, key=lambda point: (by_point[point].trainable, point))
    step = (len(ordered) - 1) / max(1, DESIGN - 1)
    return tuple(dict.fromkeys(ordered[round(i * step)] for i in range(DESIGN)))


def _surrogate(name: str, problem: Problem, found: Sequence[Entry], limit: float) -> Contest:
    grid = Grid(problem.space)
    rows = grid.rows(grid.array([problem.space.point(entry.point) for entry in found]))
    model = ensemble().fit(rows, [entry.score for entry in found])
    noise = replicate_noise(found)
    floor = min(entry.score for entry in found)

    def truths(points: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict(grid.rows(grid.canonical(points))))

    def truth(point: Point) -> float:
        return float(truths(grid.array([point]))[0])

    front = best_per_bucket(problem, truths, generations=GENERATIONS)
    return Contest(
        name,
        problem,
        spread(problem, DESIGN, problem.seed),
        truth=truth,
        observe=lambda point, rng: (truth(point) + noise * float(rng.normal()), noise),
        floor=floor,
        limits=(limit * 1.01,),
        best=hypervolume(front, floor=floor, limits=(limit * 1.01,)),
    )


def ensemble() -> Any:
    """Trees only: a Gaussian process as the truth would favour samplers that use one."""
    from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, VotingRegressor

    extra = ExtraTreesRegressor(200, min_samples_leaf=2, random_state=0)
    boosted = GradientBoostingRegressor(
        n_estimators=200, max_depth=4, learning_rate=0.05, subsample=0.7, random_state=0
    )
    return VotingRegressor([("extra", extra), ("boosted", boosted)])


def replicate_noise(found: Sequence[Entry]) -> float:
    """Standard deviation of one training around its configuration's mean, pooled."""
    variances = [statistics.variance(e.scores) for e in found if len(e.scores) > 1]
    return math.sqrt(statistics.fmean(variances)) if variances else 0.0


def quality(task: str, space_name: str) -> dict[str, float]:
    """Cross-validated error and rank correlation of the surrogate, and the replicates' noise."""
    from scipy.stats import spearmanr
    from sklearn.model_selection import KFold, cross_val_predict

    table = read(FOLDER / f"{task}.parquet")
    found = entries(table, space_name)
    backbone = about.backbone(table.facts[space_name])
    space = expand(catalog.spaces.load(space_name), backbone, catalog.modules.all())
    grid = Grid(space)
    rows = grid.rows(grid.array([space.point(entry.point) for entry in found]))
    scores = np.array([entry.score for entry in found])
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    predicted = cross_val_predict(ensemble(), rows, scores, cv=folds)
    return {
        "configurations": len(found),
        "rmse": float(np.sqrt(np.mean((predicted - scores) ** 2))),
        "spread": float(scores.std()),
        "spearman": float(spearmanr(predicted, scores)[0]),
        "noise": replicate_noise(found),
    }
