"""SAAS (Eriksson and Jankowiak, UAI 2021) by NUTS: AutoPEFT's own surrogate, for comparison.

Every sample of the posterior over hyperparameters is one process of our own; their mixture gives
the mean and the deviation.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from autopeft.errors import MissingError
from autopeft.optimiser.hyperparameters import Data, Hyperparameters
from autopeft.optimiser.kernel import Kernel
from autopeft.optimiser.one_thread import one_thread
from autopeft.optimiser.surrogate import Posterior, condition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

WARM_UP, SAMPLES, THINNING, DEPTH = 128, 64, 4, 6
"""Steps of NUTS as in AutoPEFT's release: 16 samples are kept."""


@dataclass(frozen=True)
class Mixture:
    """Processes of equal weight."""

    members: tuple[Posterior, ...]

    def mean_and_deviation(self, rows: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the mixture at each row."""
        import torch

        found = [member.mean_and_deviation(rows) for member in self.members]
        means = torch.stack([mean for mean, _ in found])
        variances = torch.stack([deviation.square() for _, deviation in found])
        spread = means.var(dim=0, unbiased=False)
        return means.mean(dim=0), (variances.mean(dim=0) + spread).sqrt()

    def believe(self, row: Sequence[float]) -> Mixture:
        """Every member as if the row had been evaluated."""
        return Mixture(tuple(member.believe(row) for member in self.members))


def require() -> None:
    """Raises MissingError when what NUTS needs is not installed."""
    if find_spec("jax") is None or find_spec("numpyro") is None:
        raise MissingError(
            "sampler `saas` needs jax and numpyro, which are not installed",
            hint='install them with `pip install "autopeft[nuts]"`, or use `--sampler gp`',
        )


@lru_cache(maxsize=2)
def fit(data: Data) -> Mixture | None:
    """The mixture fitted to the data, or None when sampling fails; a pure function of the data."""
    import torch

    shift, scale = statistics.fmean(data.values), statistics.pstdev(data.values) or 1.0
    values = (torch.tensor(data.values, dtype=torch.float64) - shift) / scale
    rows = torch.tensor(data.rows, dtype=torch.float64)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            model = sampled(rows, values)
        except RuntimeError:
            return None
    with torch.no_grad():
        members = tuple(
            condition(data, Hyperparameters(kernel, mean, noise, 0.0, shift, scale))
            for kernel, mean, noise in _samples(model)
        )
        mixture = Mixture(members)
        mean, deviation = mixture.mean_and_deviation(rows.numpy())
    return mixture if bool((mean + deviation).isfinite().all()) else None


def sampled(rows: Tensor, values: Tensor) -> Any:
    """BoTorch's model after NUTS.

    Args:
        rows: inputs in the unit cube, n x d, float64.
        values: standardised outputs, n, float64.

    Raises:
        RuntimeError: sampling failed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP

        from autopeft.optimiser import nuts

        model = SaasFullyBayesianSingleTaskGP(rows, values[:, None])
        drawn = model.pyro_model.postprocess_mcmc_samples(
            nuts.draw(rows.numpy(), values.numpy(), warm_up=WARM_UP, samples=SAMPLES, depth=DEPTH)
        )
        model.load_mcmc_samples({name: value[::THINNING] for name, value in drawn.items()})
    return model.eval()


def _samples(model: Any) -> list[tuple[Kernel, float, float]]:
    """Kernel, mean and noise variance of every sample kept."""
    scaled = model.covar_module
    lengths = scaled.base_kernel.lengthscale.squeeze(-2)
    variances = scaled.outputscale.reshape(-1)
    means = model.mean_module.constant.reshape(-1)
    noises = model.likelihood.noise.reshape(-1)
    return [
        (Kernel(variance, length), float(mean), float(noise))
        for variance, length, mean, noise in zip(variances, lengths, means, noises, strict=True)
    ]
