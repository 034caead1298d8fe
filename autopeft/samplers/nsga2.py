"""NSGA-II (Deb et al., 2002): Optuna's operators, generations read off the trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.optimiser.problem import Problem
from autopeft.types import SamplerPiece

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _build(problem: Problem, seed: int) -> BaseSampler:
    from autopeft.optimiser.designed import DesignedSampler
    from autopeft.optimiser.generations import GenerationSampler
    from autopeft.optimiser.ordinal import OrdinalSampler

    inner = GenerationSampler(seed=seed % 2**32)
    return DesignedSampler(problem, seed, inner=OrdinalSampler(problem, inner))


SAMPLER = SamplerPiece(label="NSGA-II", build=_build)
