"""Sampling from a pool: every suggestion becomes a configuration that the table holds.

Ours scores the whole pool. A sampler that knows of no pool is given the untried configuration that
is nearest to its suggestion.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from autopeft.optimiser import gp
from autopeft.optimiser.candidates import candidates_of
from autopeft.optimiser.designed import DesignedSampler, distributions
from autopeft.optimiser.grid import Grid
from autopeft.optimiser.history import read
from autopeft.optimiser.one_thread import one_thread
from autopeft.optimiser.problem import Problem
from autopeft.types import Point
from tests.benchmarks.contest import Contest


class PoolSampler(BaseSampler):
    """The point of a pool with the largest expected hypervolume improvement."""

    def __init__(self, pool: Sequence[Point], problem: Problem) -> None:
        self.pool, self.problem = pool, problem

    def infer_relative_search_space(self, study, trial):
        """The whole space."""
        return distributions(self.problem.space)

    def sample_relative(self, study, trial, search_space):
        """Values of a point of the pool, or nothing while there is too little to model."""
        candidates = candidates_of(self.problem)
        history = read(study, candidates, before=trial.number)
        with one_thread():
            belief = gp.believe(candidates, history)
            described = candidates.describe(list(self.pool))
            fresh = [c for c in described if c.identity not in history.seen]
            if belief is None or not fresh:
                return {}
            best = fresh[int(np.argmax(belief.score(fresh)))]
        return self.problem.space.values(best.point)

    def sample_independent(self, study, trial, param_name, param_distribution):
        """Never called: all values are chosen together."""
        raise ValueError(param_name)


def in_the_pool(pool: Sequence[Point], problem: Problem, seed: int) -> BaseSampler:
    """Ours, on the points of a pool only."""
    return DesignedSampler(problem, seed, inner=PoolSampler(pool, problem))


def nearest(contest: Contest, point: Point, tried: Sequence[Point]) -> Point:
    """The untried point of the pool that is nearest to a suggestion in the unit cube."""
    grid, known = Grid(contest.problem.space), set(tried)
    left = [candidate for candidate in contest.pool if candidate not in known]
    rows = grid.rows(grid.array([point, *left]))
    return left[int(np.abs(rows[1:] - rows[0]).sum(axis=1).argmin())]


def in_pool(
    study: optuna.Study, trial: optuna.Trial, problem: Problem, point: Point
) -> tuple[optuna.Trial, Point]:
    """The trial as if the point of the pool had been suggested."""
    values = problem.space.values(point)
    if trial.params == values:
        return trial, point
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    study.enqueue_trial(values)
    return study.ask(fixed_distributions=distributions(problem.space)), point
