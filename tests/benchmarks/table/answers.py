"""An ensemble of trees that answers for configurations which a table does not hold.

Trees only: a Gaussian process as the truth would favour samplers that use one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.grid import Points
from autopeft.optimiser.problem import Problem
from autopeft.types import Point
from tests.benchmarks.table.file import Entry

FOLDS = 5


class Answers:
    """Scores of any points of a problem's space, and the noise of one training."""

    def __init__(self, problem: Problem, entries: Sequence[Entry]) -> None:
        self.candidates = Candidates(problem)
        self.noise = replicate_noise(entries)
        self._known: dict[Point, float] = {}
        points = [problem.space.point(entry.point) for entry in entries]
        self._rows = self.features(self.candidates.grid.array(points))
        self._scores = np.array([entry.score for entry in entries])
        self._model = ensemble().fit(self._rows, self._scores)

    def __call__(self, point: Point) -> float:
        """The score of one point, without noise."""
        if point not in self._known:
            self._known[point] = float(self.of(self.candidates.grid.array([point]))[0])
        return self._known[point]

    def of(self, points: Points) -> NDArray[np.float64]:
        """Scores of points, without noise."""
        return np.asarray(self._model.predict(self.features(points)))

    def features(self, points: Points) -> NDArray[np.float64]:
        """Positions of the values, logarithm of the parameters, and how many layers are used."""
        grid = self.candidates.grid
        canonical = grid.canonical(points)
        described = self.candidates.describe([tuple(row) for row in canonical.tolist()])
        added = [(c.log_size, len(c.identity[0])) for c in described]
        return np.column_stack([grid.rows(canonical), np.array(added, dtype=float)])

    def quality(self) -> dict[str, float]:
        """Cross-validated error and rank correlation, and what they are to be compared with."""
        from scipy.stats import spearmanr
        from sklearn.model_selection import KFold, cross_val_predict

        folds = KFold(FOLDS, shuffle=True, random_state=0)
        predicted = cross_val_predict(ensemble(), self._rows, self._scores, cv=folds)
        return {
            "configurations": len(self._scores),
            "rmse": float(np.sqrt(np.mean((predicted - self._scores) ** 2))),
            "spread": float(self._scores.std()),
            "spearman": float(spearmanr(predicted, self._scores)[0]),
            "noise": self.noise,
        }


def ensemble() -> Any:
    """Extremely randomised trees and boosted ones, averaged."""
    from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, VotingRegressor

    extra = ExtraTreesRegressor(100, min_samples_leaf=2, random_state=0)
    boosted = GradientBoostingRegressor(
        n_estimators=100, max_depth=4, learning_rate=0.1, subsample=0.7, random_state=0
    )
    return VotingRegressor([("extra", extra), ("boosted", boosted)])


def replicate_noise(entries: Sequence[Entry]) -> float:
    """Standard deviation of one training around its configuration's mean, pooled."""
    variances = [statistics.variance(e.scores) for e in entries if len(e.scores) > 1]
    return math.sqrt(statistics.fmean(variances)) if variances else 0.0
