"""Hyperparameters of the Gaussian process, by maximum a posteriori on standardised values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autopeft.optimiser.kernel import Kernel, usual_log_length

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

STEPS = 40
"""Most steps of L-BFGS; more do not predict better."""
LEAST_NOISE, MOST_NOISE = 1e-4, 1.0
"""Bounds of the noise variance of standardised values."""
USUAL_NOISE, NOISE_WIDTH = math.exp(-4), 2.0
"""Prior on the noise variance where no errors are known: median, and width in nats."""
KNOWN_WIDTH = 0.5
"""Width of the prior around the known errors: trials share their examples, so that differences are
less noisy than the errors say."""
USUAL_VARIANCE = math.exp(0.5)
TRUST = 4.0
"""Noise of a row relative to the typical one is kept within this factor either way."""


@dataclass(frozen=True)
class Data:
    """Evaluated rows in the unit cube; larger values are better."""

    rows: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    """Standard errors; 0 where they are not known."""
    scored: bool = False
    """Whether the last column of the rows is an importance score."""
    short: int = 0
    """How many of the first columns are of the whole configuration, such as its learning rate."""

    def first(self, count: int) -> Data:
        """The first rows."""
        return replace(
            self, rows=self.rows[:count], values=self.values[:count], errors=self.errors[:count]
        )


@dataclass(frozen=True)
class Hyperparameters:
    """Everything but the rows. Values are standardised as (value - shift) / scale."""

    kernel: Kernel
    mean: float
    """Prior mean of standardised values."""
    noise: float
    """Noise variance of standardised values with a typical error."""
    error: float
    """The typical error, in the units of the values; 0 when none is known."""
    shift: float
    scale: float
    left_out: float = -math.inf
    """Log density of the standardised fitted values, each predicted from the others."""
    count: int = 0
    """Values that were fitted."""

    @property
    def columns(self) -> int:
        """How many columns of the rows are used."""
        return len(self.kernel.lengths)

    @property
    def evidence(self) -> float:
        """Log density of the fitted values in their own units, each predicted from the others."""
        return self.left_out - self.count * math.log(self.scale)

    @property
    def skill(self) -> float:
        """Nats by which values are better predicted from all others than by their mean alone."""
        count = self.count
        if count < 2:
            return -math.inf
        ratio = count / (count - 1)
        return self.left_out + 0.5 * count * (ratio + math.log(ratio))

    def residual(self, values: Tensor) -> Tensor:
        """Standardised values less the prior mean."""
        return (values - self.shift) / self.scale - self.mean

    def restored(self, residuals: Tensor) -> Tensor:
        """The inverse of `residual`."""
        return self.shift + self.scale * (residuals + self.mean)

    def noises(self, errors: Sequence[float]) -> Tensor:
        """Noise variance of each row, standardised: smaller where a trial had more replicates."""
        return self.noise * _relative(errors, self.error)


def fit(data: Data, columns: int) -> Hyperparameters | None:
    """The most probable hyperparameters given the first columns; None when none are finite."""
    import torch

    with torch.enable_grad():
        return _Fit(data, columns).run()


def leave_one_out(factor: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Errors of predicting each value from all others, and their deviations.

    Args:
        factor: Cholesky factor of the noisy covariance.
        weights: its inverse times the residuals.
    """
    import torch

    precision = torch.cholesky_inverse(factor).diagonal()
    return weights / precision, precision.rsqrt()


class _Fit:
    """One optimisation: log length scales, then log variance, log noise and the mean."""

    def __init__(self, data: Data, columns: int) -> None:
        import torch

        self.rows = torch.tensor(data.rows, dtype=torch.float64)[:, :columns]
        self.shift = statistics.fmean(data.values)
        self.scale = statistics.pstdev(data.values) or 1.0
        values = torch.tensor(data.values, dtype=torch.float64)
        self.values = (values - self.shift) / self.scale
        known = [error for error in data.errors if error > 0]
        self.error = math.sqrt(statistics.fmean(e * e for e in known)) if known else 0.0
        self.relative = _relative(data.errors, self.error)
        usual = (self.error / self.scale) ** 2 if known else USUAL_NOISE
        usual = min(max(usual, LEAST_NOISE), MOST_NOISE)
        # A column of the whole configuration is short, whatever the number of the others.
        lengths = [usual_log_length(columns)] * columns
        lengths[: data.short] = [0.0] * data.short
        if data.scored and columns == len(data.rows[0]):
            lengths[-1] = 0.0
        widths = [1.0] * columns
        centre = [*lengths, math.log(USUAL_VARIANCE), math.log(usual), 0.0]
        widths += [1.0, KNOWN_WIDTH if known else NOISE_WIDTH, 1.0]
        self.centre = torch.tensor(centre, dtype=torch.float64)
        self.widths = torch.tensor(widths, dtype=torch.float64)

    def run(self) -> Hyperparameters | None:
        """L-BFGS from the centre of the prior."""
        from scipy.optimize import minimize

        reach = 6 * self.widths
        bounds = list(zip(self.centre - reach, self.centre + reach, strict=True))
        bounds[-2] = (math.log(LEAST_NOISE), math.log(MOST_NOISE))
        found = minimize(
            self._loss_and_gradient,
            self.centre.numpy(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(float(low), float(high)) for low, high in bounds],
            options={"maxiter": STEPS},
        )
        return self._hyperparameters(found.x) if math.isfinite(found.fun) else None

    def _loss_and_gradient(self, place: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        import torch

        parameters = torch.tensor(place, dtype=torch.float64, requires_grad=True)
        try:
            factor, residuals = self._factored(parameters)
        except RuntimeError:
            return math.inf, parameters.detach().numpy() * 0
        solved = torch.linalg.solve_triangular(factor, residuals[:, None], upper=False)
        fitted = 0.5 * solved.square().sum() + factor.diagonal().log().sum()
        likely = 0.5 * ((parameters - self.centre) / self.widths).square().sum()
        loss = (fitted + likely) / len(residuals)
        loss.backward()
        assert parameters.grad is not None
        return loss.item(), parameters.grad.numpy()

    def _factored(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Cholesky factor of the noisy covariance, and the values less the mean."""
        import torch

        kernel = Kernel(parameters[-3].exp(), parameters[:-3].exp())
        matrix = kernel(self.rows, self.rows) + torch.diag(parameters[-2].exp() * self.relative)
        return torch.linalg.cholesky(matrix), self.values - parameters[-1]

    def _hyperparameters(self, place: NDArray[np.float64]) -> Hyperparameters:
        import torch

        with torch.no_grad():
            parameters = torch.tensor(place, dtype=torch.float64)
            factor, residuals = self._factored(parameters)
            weights = torch.cholesky_solve(residuals[:, None], factor)[:, 0]
            errors, deviations = leave_one_out(factor, weights)
            density = -0.5 * (errors / deviations).square() - deviations.log()
        return Hyperparameters(
            kernel=Kernel(parameters[-3].exp(), parameters[:-3].exp()),
            mean=float(parameters[-1]),
            noise=float(parameters[-2].exp()),
            error=self.error,
            shift=self.shift,
            scale=self.scale,
            left_out=float(density.sum()),
            count=len(residuals),
        )


def _relative(errors: Sequence[float], typical: float) -> Tensor:
    """Noise variance of each row relative to a row with the typical error."""
    import torch

    found = torch.tensor(errors, dtype=torch.float64)
    if typical == 0:
        return torch.ones_like(found)
    ratio = (found / typical).square().clamp(1 / TRUST, TRUST)
    return torch.where(found > 0, ratio, 1.0)
