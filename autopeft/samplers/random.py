"""Feasible points of random size: the baseline that a model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.optimiser.problem import Problem
from autopeft.types import SamplerPiece

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _build(problem: Problem, seed: int) -> BaseSampler:
    from autopeft.optimiser.designed import DesignedSampler

    return DesignedSampler(problem, seed)


SAMPLER = SamplerPiece(label="budget-stratified random", build=_build)
