"""A table of real trainings as a contest, in two modes.

*Pool*: only the table's configurations can be tried; the truth is the mean over their seeds, and an
observation is one of them. *Surrogate*: an ensemble of trees fitted to the table answers for any
configuration of the space, with noise drawn as the replicates scatter. Parameters are counted and
memory is predicted as in a search, and samplers get the importance score and the initial design
that a search would give them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from autopeft import catalog
from autopeft.errors import UsageError
from autopeft.optimiser.problem import Problem
from autopeft.scoring.worth import worth_of
from autopeft.search.design import design
from autopeft.search.problem import DESIGN_METHODS
from autopeft.space.expansion import expand
from autopeft.space.space import Space
from autopeft.study import about
from autopeft.training.memory_target import Target
from autopeft.types import Backbone, Point, Scores
from tests.benchmarks.contest import Contest, hypervolume
from tests.benchmarks.elites import best_per_bucket
from tests.benchmarks.table import scores
from tests.benchmarks.table.answers import Answers
from tests.benchmarks.table.file import Entry, entries, read
from tests.benchmarks.table.prices import Prices, memory_model

FOLDER = Path(__file__).parent
MODES = ("pool", "surrogate")
DESIGNED = 8
"""A pool's share that is its initial design, as 1 in so many."""
GENERATIONS = 100
BEYOND = 1.01
"""References lie this far beyond the limits, so that using them up still counts."""


@dataclass(frozen=True, eq=False)
class Source:
    """One task and space of a folder of tables."""

    task: str
    space_name: str
    backbone: Backbone
    space: Space
    entries: tuple[Entry, ...]
    limit: float
    """Parameters at the budget."""
    prices: Prices
    importance: Mapping[str, Scores]
    """Of the methods of the initial design; empty where none are stored or asked for."""

    @property
    def floor(self) -> float:
        """The lowest score of the table."""
        return min(entry.score for entry in self.entries)

    @property
    def limits(self) -> tuple[float, ...]:
        """The worst costs that count."""
        most = (self.limit, float(max(entry.memory for entry in self.entries)))
        return tuple(BEYOND * cost for cost in most[: self.costs])

    @property
    def costs(self) -> int:
        """How many objectives are exact costs."""
        return 2 if self.prices.memory else 1


@lru_cache(maxsize=8)
def source(
    task: str, space_name: str, costs: int, *, worth: bool = True, folder: Path = FOLDER
) -> Source:
    """What the tables of a folder know of a task and a space.

    Args:
        task: a file of the folder.
        space_name: one of its spaces.
        costs: 1 for parameters, 2 for parameters and memory.
        worth: whether samplers are given the importance score.
        folder: of the tables.

    Raises:
        UsageError: the table has not been built.
    """
    path = folder / f"{task}.parquet"
    table = read(path)
    if space_name not in table.facts:
        raise UsageError(
            f"`{path}` does not hold space `{space_name}`",
            hint=f"build it with `python -m tests.benchmarks.table.build`, see {FOLDER}/README.md",
        )
    facts = table.facts[space_name]
    backbone = about.backbone(facts)
    limit = facts["budget_percent"] / 100 * backbone.parameters
    known = scores.read(folder, task) if worth else {}
    stated, device = facts["memory_shape"], "cpu" if facts["device"].startswith("cpu") else "cuda"
    target = Target(stated["rows"], stated["tokens"], precision=stated["precision"], device=device)
    outputs, model = len(facts["classes"]), facts["settings"]["model"]
    memory = memory_model(facts["task"], model, outputs, target) if costs == 2 else None
    return Source(
        task,
        space_name,
        backbone,
        expand(catalog.spaces.load(space_name), backbone, catalog.modules.all()),
        tuple(entries(table, space_name)),
        limit,
        Prices(backbone, limit, memory),
        {name: known[name] for name in DESIGN_METHODS if name in known},
    )


def contest(found: Source, mode: str, seed: int) -> Contest:
    """The contest of a task and a space; `mode` is `pool` or `surrogate`."""
    return _pool(found, seed) if mode == "pool" else _surrogate(found, seed)


def problem_of(found: Source, seed: int) -> Problem:
    """What a search in a source's space would tell a sampler."""
    prices = found.prices
    scored = next(iter(found.importance.values()), None)
    return Problem(
        space=found.space,
        directions=("maximize", "minimize", "minimize")[: 1 + found.costs],
        modelled=0,
        costs=lambda c: prices.of(c).costs,
        feasible=lambda c: prices.of(c).feasible,
        limits=(found.limit, math.inf)[: found.costs],
        design=(),
        seed=seed,
        stratify=lambda c: prices.parameters(c.placements),
        layered=prices,
        worth=worth_of(scored, catalog.modules.all()) if scored else None,
    )


def _pool(found: Source, seed: int) -> Contest:
    by_point = {found.space.point(entry.point): entry for entry in found.entries}
    rows = [(entry.score, *_costs(entry, found.costs)) for entry in found.entries]

    def observe(point: Point, rng: np.random.Generator) -> tuple[float, float]:
        entry = by_point[point]
        return entry.scores[int(rng.integers(len(entry.scores)))], entry.error

    return Contest(
        f"{found.task}/{found.space_name}/pool",
        problem_of(found, seed),
        _strata(by_point),
        truth=lambda point: by_point[point].score,
        observe=observe,
        floor=found.floor,
        limits=found.limits,
        best=hypervolume(rows, floor=found.floor, limits=found.limits),
        pool=tuple(by_point),
    )


def _costs(entry: Entry, count: int) -> tuple[float, ...]:
    return (float(entry.trainable), float(entry.memory))[:count]


def _strata(by_point: Mapping[Point, Entry]) -> tuple[Point, ...]:
    """Points of the pool at even ranks of size."""
    ordered = sorted(by_point, key=lambda point: (by_point[point].trainable, point))
    count = max(2, len(ordered) // DESIGNED)
    step = (len(ordered) - 1) / (count - 1)
    return tuple(dict.fromkeys(ordered[round(i * step)] for i in range(count)))


def _surrogate(found: Source, seed: int) -> Contest:
    answers, best = _answers(found)
    problem = problem_of(found, seed)

    def observe(point: Point, rng: np.random.Generator) -> tuple[float, float]:
        return answers(point) + answers.noise * float(rng.normal()), answers.noise

    return Contest(
        f"{found.task}/{found.space_name}/surrogate",
        problem,
        _designed(found, problem),
        truth=answers,
        observe=observe,
        floor=found.floor,
        limits=found.limits,
        best=best,
    )


def _designed(found: Source, problem: Problem) -> tuple[Point, ...]:
    """What a search would try first."""
    limit, importance = int(found.limit), found.importance
    return design(problem, found.backbone, limit=limit, importance=importance).points


@lru_cache(maxsize=4)
def _answers(found: Source) -> tuple[Answers, float]:
    """What answers for any configuration, and the hypervolume of its true front."""
    problem = problem_of(found, 0)
    answers = Answers(problem, found.entries)
    known = [found.space.point(entry.point) for entry in found.entries]
    front = best_per_bucket(problem, answers.of, generations=GENERATIONS, known=known)
    return answers, hypervolume(front, floor=found.floor, limits=found.limits)


def quality(found: Source) -> dict[str, float]:
    """What cross-validation says of the surrogate."""
    return Answers(problem_of(found, 0), found.entries).quality()
