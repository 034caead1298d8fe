"""Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), Optuna's, multivariate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.optimiser.problem import Problem
from autopeft.types import SamplerPiece

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _build(problem: Problem, seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    from autopeft.optimiser.designed import DesignedSampler
    from autopeft.optimiser.ordinal import OrdinalSampler

    inner = TPESampler(multivariate=True, seed=seed % 2**32)
    return DesignedSampler(problem, seed, inner=OrdinalSampler(problem, inner))


SAMPLER = SamplerPiece(label="TPE", build=_build)
