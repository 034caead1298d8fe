"""What a rung says of the end, learned from the study's own trials that were trained on from it.

A ridge regression of final values on score and training loss at the rung. It is shrunk not to zero
but to the guess that both count alike, more score and less loss being better, which a few trials
correct: on some tasks the loss of the first steps foretells the end, on others it misleads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autopeft.types import Measured

Array = NDArray[np.float64]

LEAST_TRIALS = 8
"""Fully trained trials below which nothing is said."""
GUESS = 0.5
"""Standard deviations of the end that one of the score, or of the loss, is worth at first."""
RIDGE = 2.0
"""Trials that the guess is worth."""


@dataclass(frozen=True)
class Early:
    """What one configuration had reached at a rung."""

    step: int
    score: float
    train_loss: float


@dataclass(frozen=True)
class Forecast:
    """A fitted regression, its coefficients in the units of the final values."""

    centre: Array
    spread: Array
    """Of score and negative loss."""
    middle: float
    """Mean of the final values."""
    weights: Array
    inverse: Array
    """Of the regularised Gram matrix."""
    residual: float
    """Variance around the regression."""
    freedom: int
    """Degrees of freedom of the residual variance."""

    def of(self, early: Early) -> Measured:
        """The value expected at the end, with the standard deviation of the prediction."""
        row = (_row(early) - self.centre) / self.spread
        seen = self.freedom + len(row) + 1
        variance = self.residual * (1 + 1 / seen + float(row @ self.inverse @ row))
        return Measured(self.middle + float(row @ self.weights), math.sqrt(variance))


def forecast(early: Sequence[Early], finals: Sequence[Measured]) -> Forecast | None:
    """Learn from trials what a rung says of the end; None from fewer than `LEAST_TRIALS`.

    The residual variance is at least the sampling variance of the final values, so that a few equal
    trials do not feign certainty.

    Args:
        early: what the trials had reached at the rung.
        finals: where they ended, signed so that more is better.
    """
    if len(finals) < LEAST_TRIALS:
        return None
    rows, values = np.array([_row(one) for one in early]), np.array([m.value for m in finals])
    centre, spread, middle = rows.mean(axis=0), rows.std(axis=0), float(values.mean())
    spread = np.where(spread > 0, spread, 1.0)
    rows = (rows - centre) / spread
    inverse = np.linalg.inv(rows.T @ rows + RIDGE * np.eye(rows.shape[1]))
    guess = np.full(rows.shape[1], GUESS * float(values.std()))
    weights = inverse @ (rows.T @ (values - middle) + RIDGE * guess)
    freedom = len(values) - rows.shape[1] - 1
    missed = float(np.sum((values - middle - rows @ weights) ** 2)) / freedom
    noise = float(np.mean([m.error**2 for m in finals]))
    return Forecast(centre, spread, middle, weights, inverse, max(missed, noise), freedom)


def _row(early: Early) -> Array:
    return np.array([early.score, -early.train_loss])
