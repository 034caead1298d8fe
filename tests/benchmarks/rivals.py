"""The samplers that compete, each as a function of the problem and a seed.

All of them go through `DesignedSampler`, so that none is charged for an infeasible suggestion or
for one that was tried before: a point near it is tried instead. Optuna's go through
`OrdinalSampler` as well: none has to find out that sizes have an order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import optuna
from optuna.samplers import BaseSampler

from autopeft import catalog
from autopeft.errors import MissingError
from autopeft.optimiser import saas as nuts
from autopeft.optimiser.designed import DesignedSampler
from autopeft.optimiser.ordinal import OrdinalSampler
from autopeft.optimiser.problem import Problem
from tests.benchmarks.autopeft_recipe import AutoPeftRecipe

Rival = Callable[[Problem, int], BaseSampler]


def ours(problem: Problem, seed: int) -> BaseSampler:
    """AutoPEFT's default."""
    return catalog.samplers.load("gp").build(problem, seed)


def saas(problem: Problem, seed: int) -> BaseSampler:
    """The same with SAAS by NUTS.

    Raises:
        MissingError: what NUTS needs is not installed.
    """
    nuts.require()
    return catalog.samplers.load("saas").build(problem, seed)


def recipe(problem: Problem, seed: int) -> BaseSampler:
    """AutoPEFT's published search.

    Raises:
        MissingError: what NUTS needs is not installed.
    """
    nuts.require()
    return DesignedSampler(problem, seed, inner=AutoPeftRecipe(problem, seed))


def chance(problem: Problem, seed: int) -> BaseSampler:
    """Feasible points of random size, spread over the budget."""
    return catalog.samplers.load("random").build(problem, seed)


def nsga2(problem: Problem, seed: int) -> BaseSampler:
    """NSGA-II, in the form that remembers nothing between suggestions."""
    return catalog.samplers.load("nsga2").build(problem, seed)


def tpe(problem: Problem, seed: int) -> BaseSampler:
    """Optuna's TPE, multivariate."""
    return catalog.samplers.load("tpe").build(problem, seed)


def optuna_gp(problem: Problem, seed: int) -> BaseSampler:
    """Optuna's Gaussian processes, one per objective."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        inner = optuna.samplers.GPSampler(seed=seed, n_startup_trials=10)
    return DesignedSampler(problem, seed, inner=OrdinalSampler(problem, inner))


def botorch(problem: Problem, seed: int) -> BaseSampler:
    """BoTorch's expected hypervolume improvement, from optuna-integration.

    Raises:
        MissingError: optuna-integration is not installed.
    """
    try:
        from optuna_integration import BoTorchSampler
    except ImportError as error:
        raise MissingError(
            "sampler `botorch` needs optuna-integration, which is not installed",
            hint="install it with `pip install -e '.[rivals]'`",
        ) from error
    inner = BoTorchSampler(seed=seed, n_startup_trials=10, consider_running_trials=True)
    return DesignedSampler(problem, seed, inner=OrdinalSampler(problem, inner))


RIVALS: Mapping[str, Rival] = {
    "ours": ours,
    "saas": saas,
    "recipe": recipe,
    "random": chance,
    "nsga2": nsga2,
    "tpe": tpe,
    "optuna-gp": optuna_gp,
    "botorch": botorch,
}
