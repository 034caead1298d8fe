"""The default sampler with SAAS by NUTS as its model: slow, for comparison; extra `nuts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.optimiser.problem import Problem
from autopeft.types import SamplerPiece

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _build(problem: Problem, seed: int) -> BaseSampler:
    from autopeft.optimiser import saas
    from autopeft.optimiser.designed import DesignedSampler
    from autopeft.optimiser.gp import GpSampler

    return DesignedSampler(problem, seed, inner=GpSampler(problem, seed, fit=saas.fit))


def _require() -> None:
    from autopeft.optimiser import saas

    saas.require()


SAMPLER = SamplerPiece(
    label="Bayesian optimisation with SAAS by NUTS", build=_build, require=_require
)
