"""A Gaussian process on the one objective that is noisy and dear.

A Matérn kernel with one length scale per dimension and a prior on them that grows with the
dimension, fitted by maximum a posteriori. Columns of the whole configuration, its size and its
learning rate, have short ones: that predicts real trainings better. An importance score may be
given as one more column; it is used only while it predicts left-out trials better. Runs that came
out far below what all others predict for them are trusted less. Everything is dense: at a few
hundred trials one step of a fit takes milliseconds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Protocol

from autopeft.optimiser import hyperparameters
from autopeft.optimiser.hyperparameters import Data, Hyperparameters, leave_one_out
from autopeft.optimiser.kernel import Kernel
from autopeft.optimiser.one_thread import one_thread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Rows = NDArray[np.float64]

GROWTH = 1.08
"""Hyperparameters are fitted again each time the finished trials have grown by this factor."""
OUTLYING = 4.0
"""Deviations below its leave-one-out prediction at which a run counts as failed in part."""
ALIKE = 1.5
"""Values whose spread is within so many of their errors may differ by chance only."""
TELLING = 8
"""Values of which it can be told; before, a process is tried."""
EARNED = 1.0
"""Nats of leave-one-out prediction by which the score's column must be better to be used, and any
process of values that may differ by chance."""


class Surrogate(Protocol):
    """What an acquisition function needs to know."""

    def mean_and_deviation(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the noiseless value at each row."""

    def believe(self, row: Sequence[float]) -> Surrogate:
        """The same as if the row had been evaluated and gave exactly its predicted mean."""


@dataclass(frozen=True)
class Posterior:
    """A process that is conditioned on rows, in the units of the data."""

    fitted: Hyperparameters
    rows: Tensor
    residuals: Tensor
    """Standardised values less the prior mean, one per row."""
    noise: Tensor
    """Noise variance of each row, standardised."""

    @property
    def kernel(self) -> Kernel:
        """Its covariance."""
        return self.fitted.kernel

    def mean_and_deviation(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the noiseless value at each row."""
        import torch

        with torch.no_grad():
            points = torch.as_tensor(rows, dtype=torch.float64)[:, : self.fitted.columns]
            factor, weights = self._solved
            cross = self.kernel(points, self.rows)
            reduced = torch.linalg.solve_triangular(factor, cross.T, upper=False)
            variance = self.kernel.variance - reduced.square().sum(dim=0)
            mean = self.fitted.restored(cross @ weights)
            return mean, self.fitted.scale * variance.clamp_min(1e-12).sqrt()

    def believe(self, row: Sequence[float]) -> Posterior:
        """The process as if the row had been evaluated and gave exactly its predicted mean."""
        import numpy as np
        import torch

        point = np.asarray(row, dtype=float)[None]
        mean, _ = self.mean_and_deviation(point)
        added = torch.as_tensor(point)[:, : self.fitted.columns]
        return replace(
            self,
            rows=torch.cat([self.rows, added]),
            residuals=torch.cat([self.residuals, self.fitted.residual(mean)]),
            noise=torch.cat([self.noise, self.noise.new_tensor([self.fitted.noise])]),
        )

    @property
    def surprises(self) -> tuple[Tensor, Tensor]:
        """Leave-one-out errors of every row and their standard deviations, standardised."""
        factor, weights = self._solved
        return leave_one_out(factor, weights)

    @cached_property
    def _solved(self) -> tuple[Tensor, Tensor]:
        """Cholesky factor of the noisy kernel matrix, and its inverse times the residuals."""
        import torch

        matrix = self.kernel(self.rows, self.rows) + torch.diag(self.noise)
        factor = torch.linalg.cholesky(matrix)
        return factor, torch.cholesky_solve(self.residuals[:, None], factor)[:, 0]


@lru_cache(maxsize=4)
def fit(data: Data) -> Posterior | None:
    """The process fitted to the data, or None when no fit succeeds.

    A pure function of its argument. Hyperparameters come from the first trials only, as many as
    there were at the last refit, so that most suggestions need none.
    """
    import torch

    with one_thread(), torch.no_grad():
        fitted = _chosen(data.first(last_refit(len(data.values))))
        return None if fitted is None else _robust(condition(data, fitted), data)


def fit_unless_chance(data: Data) -> Posterior | None:
    """The same, and None also where values differ by chance only.

    So it is while no trial has learnt anything. A process would see a slope in the noise and follow
    it, to where nothing is learnt either.
    """
    found = fit(data)
    by_chance = found is not None and _by_chance(data.values[: found.fitted.count], found.fitted)
    return None if by_chance else found


def predicts(fitted: Hyperparameters, values: Sequence[float]) -> bool:
    """Whether left-out values are predicted better than by the mean of the others, by `EARNED`."""
    return statistics.pstdev(values) > 0 and fitted.skill > EARNED


def condition(data: Data, fitted: Hyperparameters) -> Posterior:
    """The process with given hyperparameters on all rows of the data."""
    import torch

    rows = torch.tensor(data.rows, dtype=torch.float64)[:, : fitted.columns]
    values = torch.tensor(data.values, dtype=torch.float64)
    return Posterior(fitted, rows, fitted.residual(values), fitted.noises(data.errors))


@lru_cache(maxsize=4)
def _chosen(data: Data) -> Hyperparameters | None:
    """The fit without the score, or the one with it where it predicts left-out trials better."""
    width = len(data.rows[0])
    plain = hyperparameters.fit(data, width - 1 if data.scored else width)
    if not data.scored:
        return plain
    scored = hyperparameters.fit(data, width)
    if plain is None or scored is None:
        return plain or scored
    return scored if scored.left_out > plain.left_out + EARNED else plain


def _by_chance(values: Sequence[float], fitted: Hyperparameters) -> bool:
    """Whether values differ hardly more than their errors, and not as the process predicts."""
    alike = statistics.pstdev(values) < ALIKE * fitted.error
    return len(values) >= TELLING and alike and not predicts(fitted, values)


def _robust(posterior: Posterior, data: Data) -> Posterior | None:
    """The process with the noise of runs that came out far too low raised to their error."""
    import torch

    errors, deviations = posterior.surprises
    low = errors < -OUTLYING * deviations
    noise = posterior.noise + torch.where(low, errors.square(), 0.0)
    calmed = replace(posterior, noise=noise) if bool(low.any()) else posterior
    mean, deviation = calmed.mean_and_deviation(calmed.rows.numpy())
    return calmed if bool((mean + deviation).isfinite().all()) else None


def last_refit(count: int) -> int:
    """The largest number of trials up to `count` at which hyperparameters are fitted."""
    size = 1
    while (grown := max(size + 1, math.ceil(GROWTH * size))) <= count:
        size = grown
    return size
