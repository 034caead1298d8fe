"""A Gaussian process on the one objective that is noisy and dear.

The default is a sum of kernels with sparsity priors of several strengths (SAAS, Eriksson and
Jankowiak, UAI 2021, in the additive form of BoTorch), fitted by maximum a posteriori; when that
fit fails, the plain kernel with a prior that grows with the dimension (Hvarfner et al., ICML 2024).
Predictions do not go through GPyTorch: with a dense kernel matrix and its Cholesky factor they
are some twenty times faster.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from autopeft.optimiser import kernel
from autopeft.optimiser.kernel import Kernel

if TYPE_CHECKING:
    from torch import Tensor

Row = tuple[float, ...]

STEPS = 75
"""Optimiser steps of a fit; more are slower and predict worse."""
LEAST_NOISE = 1e-4
"""Noise variance of standardised values that a fit may not go below."""
MOST_NOISE = 0.5
"""The noise floor never claims more than half the variance, or nothing could be learnt."""


@dataclass(frozen=True)
class Data:
    """Evaluated rows in the unit cube; larger values are better."""

    rows: tuple[Row, ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    """Standard errors; 0 where they are not known."""


@dataclass(frozen=True)
class Posterior:
    """A fitted process that is conditioned on rows, in the units of the data."""

    kernel: Kernel
    rows: Tensor
    residuals: Tensor
    """Standardised values less the prior mean, one per row."""
    noise: Tensor
    """Noise variance of each row, standardised."""
    believed_noise: float
    centre: float
    """Prior mean, in the units of the data."""
    scale: float

    def mean_and_deviation(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the noiseless value at each row."""
        import torch

        with torch.no_grad():
            points = torch.tensor(rows, dtype=torch.float64)
            factor, weights = self._solved
            cross = self.kernel(points, self.rows)
            reduced = torch.linalg.solve_triangular(factor, cross.T, upper=False)
            variance = self.kernel.variance - reduced.square().sum(dim=0)
            mean = self.centre + self.scale * (cross @ weights)
            return mean, self.scale * variance.clamp_min(1e-12).sqrt()

    def believe(self, row: Row) -> Posterior:
        """The process as if the row had been evaluated and gave exactly its predicted mean."""
        import torch

        mean, _ = self.mean_and_deviation([row])
        return replace(
            self,
            rows=torch.cat([self.rows, torch.tensor([row], dtype=torch.float64)]),
            residuals=torch.cat([self.residuals, (mean - self.centre) / self.scale]),
            noise=torch.cat([self.noise, self.noise.new_tensor([self.believed_noise])]),
        )

    @cached_property
    def _solved(self) -> tuple[Tensor, Tensor]:
        """Cholesky factor of the noisy kernel matrix, and its inverse times the residuals."""
        import torch

        matrix = self.kernel(self.rows, self.rows) + torch.diag(self.noise)
        factor = torch.linalg.cholesky(matrix)
        return factor, torch.cholesky_solve(self.residuals[:, None], factor)[:, 0]


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: faster for small matrices, and the same sums every time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=4)
def fit(data: Data, seed: int) -> Posterior | None:
    """The process fitted to the data, or None when no fit succeeds.

    A pure function of its arguments; the last results are kept because a batch of suggestions
    asks for the same fit again and again.
    """
    import torch

    with one_thread(), torch.random.fork_rng(devices=[]):
        for additive in (True, False):
            torch.manual_seed(seed)
            posterior = _attempt(data, additive=additive)
            if posterior is not None:
                return posterior
    return None


def _attempt(data: Data, *, additive: bool) -> Posterior | None:
    import torch

    with _quiet():
        from botorch.exceptions.errors import ModelFittingError

    rows = torch.tensor(data.rows, dtype=torch.float64)
    shift, scale = statistics.fmean(data.values), statistics.pstdev(data.values) or 1.0
    values = (torch.tensor(data.values, dtype=torch.float64) - shift) / scale
    variances = (torch.tensor(data.errors, dtype=torch.float64) / scale).square()
    known = variances[variances > 0]
    floor = float(known.mean().clamp(LEAST_NOISE, MOST_NOISE)) if len(known) else LEAST_NOISE
    try:
        model = _fitted(rows, values, floor=floor, additive=additive)
        noise = model.likelihood.noise.item()
        constant = model.mean_module.constant.item()
        posterior = Posterior(
            kernel=(kernel.additive if additive else kernel.single)(model.covar_module),
            rows=rows,
            residuals=values - constant,
            noise=variances.clamp(noise, max(noise, MOST_NOISE)),
            believed_noise=noise,
            centre=shift + scale * constant,
            scale=scale,
        )
        mean, deviation = posterior.mean_and_deviation(data.rows)
    except (ModelFittingError, RuntimeError, ValueError):
        return None
    return posterior if bool((mean + deviation).isfinite().all()) else None


def _fitted(rows: Tensor, values: Tensor, *, floor: float, additive: bool) -> Any:
    """The BoTorch model after its fit, in evaluation mode."""
    with _quiet():
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.map_saas import AdditiveMapSaasSingleTaskGP
        from gpytorch.constraints import GreaterThan
        from gpytorch.mlls import ExactMarginalLogLikelihood

        kind = AdditiveMapSaasSingleTaskGP if additive else SingleTaskGP
        model = kind(rows, values[:, None], outcome_transform=None)
        start = max(2 * floor, model.likelihood.noise.item())
        bound = GreaterThan(floor, transform=None, initial_value=start)
        model.likelihood.noise_covar.register_constraint("raw_noise", bound.to(rows))
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"maxiter": STEPS}})
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings about what is known: an old decorator, values all equal, an unlucky start."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
        from botorch.exceptions.warnings import InputDataWarning, OptimizationWarning
        from linear_operator.utils.warnings import NumericalWarning

        for category in (InputDataWarning, OptimizationWarning, NumericalWarning):
            warnings.simplefilter("ignore", category=category)
        yield
