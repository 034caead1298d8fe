"""Gaussian process on the modelled objective, exact costs, expected hypervolume improvement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.optimiser.problem import Problem
from autopeft.types import SamplerPiece

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _build(problem: Problem, seed: int) -> BaseSampler:
    from autopeft.optimiser.designed import DesignedSampler
    from autopeft.optimiser.gp import GpSampler

    return DesignedSampler(problem, seed, inner=GpSampler(problem, seed))


SAMPLER = SamplerPiece(label="Bayesian optimisation with exact costs", build=_build)
