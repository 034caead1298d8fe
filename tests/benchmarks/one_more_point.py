"""Posteriors of SAAS processes at the same points and one more, of many one after the other.

The noisy expected hypervolume improvement asks for nothing else. BoTorch computes the covariance
of the same points anew for every candidate (its own TODO), which took most of the time.
"""

from __future__ import annotations

from typing import Any

import torch
from botorch.models import ModelListGP
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.posteriors.fully_bayesian import GaussianMixturePosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from linear_operator import to_linear_operator
from torch import Tensor
from torch.linalg import cholesky, solve_triangular


class OneMorePoint(ModelListGP):
    """Independent SAAS processes, one per objective, m in all."""

    def __init__(self, *models: SaasFullyBayesianSingleTaskGP) -> None:
        super().__init__(*models)
        self._same = [_Same(model) for model in models]

    def posterior(self, X: Tensor, *args: Any, **options: Any) -> GaussianMixturePosterior:
        """At X, b x q x d, whose first q - 1 points are the same in the whole batch, or q x d."""
        if X.dim() < 3:
            return super().posterior(X, *args, **options)
        normals = [same.and_one(X[0, :-1], X[:, -1]) for same in self._same]
        return GaussianMixturePosterior(MultitaskMultivariateNormal.from_independent_mvns(normals))


class _Same:
    """One process in s samples of its hyperparameters, conditioned on n rows."""

    def __init__(self, model: SaasFullyBayesianSingleTaskGP) -> None:
        self._kernel, self._rows = model.covar_module, model.train_inputs[0]
        self._mean = model.mean_module.constant[:, None]
        noise = model.likelihood.noise[..., None] * torch.eye(len(self._rows)).to(self._rows)
        self._factor = cholesky(self._between(self._rows, self._rows) + noise)
        residuals = (model.train_targets - self._mean)[..., None]
        self._weights = solve_triangular(self._factor, residuals, upper=False)
        self._points = torch.empty(0, 0)

    def and_one(self, points: Tensor, others: Tensor) -> MultivariateNormal:
        """Of p points and each of b others, a batch of b x s over p + 1 points."""
        if not torch.equal(points, self._points):
            self._points = points
            self._at_points = self._solved(points)
            self._prior = self._between(points, points)
        at_others = self._solved(others)
        between = self._between(points, others) - self._at_points.mT @ at_others
        variances = self._kernel(others, diag=True) - at_others.square().sum(dim=1)
        p, b = len(points), len(others)
        covariance = torch.empty(b, len(self._mean), p + 1, p + 1).to(points)
        covariance[..., :p, :p] = self._prior - self._at_points.mT @ self._at_points
        covariance[..., :p, p] = covariance[..., p, :p] = between.permute(2, 0, 1)
        covariance[..., p, p] = variances.T
        shared = self._mean_at(self._at_points).expand(b, -1, -1)
        means = torch.cat([shared, self._mean_at(at_others).T[..., None]], dim=-1)
        return MultivariateNormal(means, to_linear_operator(covariance))

    def _between(self, ones: Tensor, others: Tensor) -> Tensor:
        found: Tensor = self._kernel(ones, others).to_dense()
        return found

    def _solved(self, points: Tensor) -> Tensor:
        """Covariances of rows and points, s x n x p, over the root of that of the rows."""
        return solve_triangular(self._factor, self._between(self._rows, points), upper=False)

    def _mean_at(self, solved: Tensor) -> Tensor:
        """s x p."""
        return self._mean + (solved * self._weights).sum(dim=1)
