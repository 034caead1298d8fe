"""A surrogate whose prior mean is a guess, as far as the guess proves right.

The guess is the last column of the rows. A process is fitted to what the guess, times a slope,
leaves over; it is used only while there are few trials, and while it predicts left-out ones better
than a process without any guess, so that a guess that the first trials contradict costs next to
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autopeft.optimiser import surrogate
from autopeft.optimiser.hyperparameters import Data
from autopeft.optimiser.surrogate import Posterior, Surrogate

if TYPE_CHECKING:
    from torch import Tensor

    from autopeft.optimiser.surrogate import Rows

SHRINKAGE = 2.0
"""Trials without any relation to the guess that the slope is estimated with."""

ENOUGH = 8
"""Trials from which on there is no guess. On a table of real trainings it chooses better than a
process without one for the first trials only; followed further, searches come to less."""

Fit = Callable[[Data], Surrogate | None]


@dataclass(frozen=True)
class Guided:
    """What is left over by a slope times the last column, added to it again."""

    rest: Surrogate
    slope: float
    """0 where the guess is not used."""

    def mean_and_deviation(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the noiseless value at each row."""
        import torch

        mean, deviation = self.rest.mean_and_deviation(rows[:, :-1])
        return mean + self.slope * torch.as_tensor(rows[:, -1]), deviation

    def believe(self, row: Sequence[float]) -> Guided:
        """The same as if the row had been evaluated and gave exactly its predicted mean."""
        return replace(self, rest=self.rest.believe(row[:-1]))


def fit(data: Data, inner: Fit = surrogate.fit) -> Guided | None:
    """The process with the guess; without it where that predicts as well or trials are enough.

    Args:
        data: its rows end with the guess, before which may stand an importance score.
        inner: fits a process to rows without the guess.
    """
    bare = replace(data, rows=tuple(row[:-1] for row in data.rows))
    plain = inner(bare)
    unguided = None if plain is None else Guided(plain, 0.0)
    if len(data.values) >= ENOUGH:
        return unguided
    guesses = [row[-1] for row in data.rows]
    known = surrogate.last_refit(len(data.values))
    slope = _slope(guesses[:known], data.values[:known])
    left = [value - slope * guess for value, guess in zip(data.values, guesses, strict=True)]
    guided = inner(replace(bare, values=tuple(left)))
    if guided is not None and _evidence(guided) > _evidence(plain):
        return Guided(guided, slope)
    return unguided


def _slope(guesses: Sequence[float], values: Sequence[float]) -> float:
    """Least squares with a ridge, in the units of the values; never negative."""
    import numpy as np

    x, y = np.asarray(guesses), np.asarray(values)
    x, y = x - x.mean(), y - y.mean()
    spread = float(x.var())
    if spread == 0:
        return 0.0
    return max(0.0, float((x * y).sum() / (spread * (len(x) + SHRINKAGE))))


def _evidence(found: Surrogate | None) -> float:
    """Log density of the values that were fitted, each predicted from the others."""
    if not isinstance(found, Posterior):
        return -math.inf if found is None else 0.0
    return found.fitted.evidence
