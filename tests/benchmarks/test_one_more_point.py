"""The covariance that is computed once gives the posterior that BoTorch computes anew."""

from __future__ import annotations

import warnings

import pytest
import torch

pytest.importorskip("jax", reason="BoTorch's SAAS processes need the extra `nuts`")

with warnings.catch_warnings():  # importing linear_operator calls torch.jit.script
    warnings.simplefilter("ignore", DeprecationWarning)
    from botorch.models import ModelListGP
    from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP

    from tests.benchmarks.one_more_point import OneMorePoint

ROWS, WIDTH, SAMPLES = 9, 3, 4


def process(seed: int) -> SaasFullyBayesianSingleTaskGP:
    """A SAAS process with samples of its hyperparameters that no NUTS was needed for."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.rand(ROWS, WIDTH, generator=draw, dtype=torch.float64)
    values = rows.sum(dim=1, keepdim=True).sin()
    model = SaasFullyBayesianSingleTaskGP(rows, (values - values.mean()) / values.std())
    shapes = {"mean": (), "outputscale": (), "lengthscale": (WIDTH,), "noise": ()}
    model.load_mcmc_samples(
        {
            name: 0.3 + torch.rand(SAMPLES, *shape, generator=draw, dtype=torch.float64)
            for name, shape in shapes.items()
        }
    )
    return model.eval()


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("same", [1, 5])
def test_posterior_is_botorchs(objectives: int, same: int) -> None:
    models = [process(seed) for seed in range(objectives)]
    ours, theirs = OneMorePoint(*models), ModelListGP(*models)
    shared = torch.rand(same, WIDTH, dtype=torch.float64)
    for _ in range(2):
        others = torch.rand(7, 1, WIDTH, dtype=torch.float64)
        batch = torch.cat([shared.expand(7, -1, -1), others], dim=1)
        got, wanted = ours.posterior(batch), theirs.posterior(batch)
        assert got.mean.shape == wanted.mean.shape
        torch.testing.assert_close(got.mean, wanted.mean, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(
            got.distribution.covariance_matrix,
            wanted.distribution.covariance_matrix,
            rtol=1e-7,
            atol=1e-9,
        )
