"""The search of the AutoPEFT paper (Zhou et al., arXiv 2301.12132) as a sampler to compare with.

One SAAS process by NUTS per objective, the cost included; ranks through a Gaussian copula; the log
of noisy expected hypervolume improvement; local search by exchanges from the front. It is what the
release means to do: there the point that is returned is the one before the local search, and the
reference point is the same for every task instead of the worst seen. Needs jax and numpyro (extra
`nuts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial
from scipy.stats import norm, rankdata

from autopeft import pareto
from autopeft.optimiser import saas
from autopeft.optimiser.candidates import Candidates, candidates_of
from autopeft.optimiser.gp import LEAST_OBSERVATIONS, GpSampler
from autopeft.optimiser.history import History, read
from autopeft.optimiser.local_search import Score
from autopeft.optimiser.moves import Moves
from autopeft.optimiser.one_thread import one_thread
from autopeft.types import Point

if TYPE_CHECKING:
    from torch import Tensor

CLIP = 1e-4
"""Ranks stay this far from 0 and 1."""
EVALUATIONS, RESTARTS = 2_000, 10
DRAWS = 16
"""Draws from every sample of NUTS, 256 in all."""

Numbers = tuple[tuple[float, ...], ...]


class AutoPeftRecipe(GpSampler):
    """Suggests one point; trials that run are pending, as those of a greedy batch are."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of every dimension, or nothing where there is too little to model."""
        history = read(study, candidates_of(self._problem), before=trial.number)
        with one_thread():
            point = suggest(candidates_of(self._problem), history, self._seed)
        return {} if point is None else self._problem.space.values(point)


def suggest(candidates: Candidates, history: History, seed: int) -> Point | None:
    """The best point that the local search finds, or None where there is nothing to model."""
    problem = candidates.problem
    inside = [o for o in history.completed if o.point is not None]
    if len(inside) < LEAST_OBSERVATIONS:
        return None
    points = [o.point for o in inside if o.point is not None]
    signs = np.array([1.0 if way == "maximize" else -1.0 for way in problem.directions])
    values = np.array([o.values for o in inside]) * signs
    scores = copula(values)
    score = _acquisition(
        tuple(map(tuple, _cube(candidates, points).tolist())),
        tuple(map(tuple, scores.tolist())),
        tuple(map(tuple, _cube(candidates, history.running).tolist())),
    )
    front = pareto.front(scores.tolist(), ["maximize"] * len(signs))
    return local_search(
        candidates,
        [points[i] for i in front],
        lambda found: score(_cube(candidates, [c.point for c in found])),
        history,
        np.random.default_rng(seed),
    )


def copula(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal scores of the ranks of each column, of shape n x objectives."""
    ranks = rankdata(values, method="max", axis=0) / len(values)
    found: NDArray[np.float64] = norm.ppf(np.clip(ranks, CLIP, 1 - CLIP))
    return found


def local_search(
    candidates: Candidates,
    front: Sequence[Point],
    score: Score,
    history: History,
    rng: np.random.Generator,
) -> Point | None:
    """The best unseen feasible point: ten climbers from neighbours of the front, all steps at once.

    A climber looks at as many neighbours as there are dimensions and moves where one is better.
    """
    moves, grid = Moves(candidates.grid), candidates.grid
    width = len(grid.counts)
    rows = grid.array([front[i] for i in rng.integers(len(front), size=RESTARTS)])
    centres = np.stack([moves.exchange(row, rng) for row in rows])
    heights = np.full(RESTARTS, -np.inf)
    best: tuple[float, Point | None] = (-np.inf, None)
    for _ in range(max(1, EVALUATIONS // (RESTARTS * width))):
        steps = np.stack([moves.exchange(row, rng) for row in np.repeat(centres, width, axis=0)])
        looked = candidates.look(steps)
        fresh = [
            (i, c) for i, c in enumerate(looked) if c is not None and c.identity not in history.seen
        ]
        if not fresh:
            continue
        for (i, candidate), value in zip(fresh, score([c for _, c in fresh]), strict=True):
            if value > best[0]:
                best = (value, candidates.canonical(candidate).point)
            if value > heights[i // width]:
                heights[i // width], centres[i // width] = value, steps[i]
    return best[1]


def _cube(candidates: Candidates, points: Sequence[Point]) -> NDArray[np.float64]:
    """The points in the unit cube, without dimensions of one value."""
    grid = candidates.grid
    return grid.rows(grid.array(points))[:, grid.counts > 1]


@lru_cache(maxsize=1)
def _model(rows: Numbers, scores: Numbers) -> Any:
    """BoTorch's model of all objectives after NUTS."""
    import torch

    from tests.benchmarks.one_more_point import OneMorePoint

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inputs = torch.tensor(rows, dtype=torch.float64)
        outputs = torch.tensor(scores, dtype=torch.float64)
        return OneMorePoint(*(saas.sampled(inputs, column) for column in outputs.T))


def _acquisition(rows: Numbers, scores: Numbers, pending: Numbers) -> Any:
    """Unit-cube rows m x d -> their log noisy expected hypervolume improvement, a list."""
    import torch
    from botorch.acquisition.multi_objective.logei import (
        qLogNoisyExpectedHypervolumeImprovement,
    )
    from botorch.sampling import SobolQMCNormalSampler

    baseline = torch.tensor(rows, dtype=torch.float64)
    found = qLogNoisyExpectedHypervolumeImprovement(
        model=_model(rows, scores),
        ref_point=[min(column) for column in zip(*scores, strict=True)],
        X_baseline=baseline,
        X_pending=torch.tensor(pending, dtype=torch.float64) if pending else None,
        sampler=SobolQMCNormalSampler(torch.Size([DRAWS]), seed=0),
        prune_baseline=True,
    )

    def score(cube: NDArray[np.float64]) -> list[float]:
        with torch.no_grad():
            points: Tensor = torch.as_tensor(cube, dtype=torch.float64)
            values: list[float] = found(points[:, None]).tolist()
        return values

    return score
