"""A small backbone, fake modules with exact counts, and smooth surfaces to search on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna

from autopeft import catalog, digest
from autopeft.optimiser.designed import distributions
from autopeft.optimiser.problem import Price, Problem
from autopeft.space import expansion
from autopeft.space.space import Space
from autopeft.space.spec import parse
from autopeft.types import (
    Backbone,
    Configuration,
    Count,
    PeftModule,
    Placement,
    Point,
    Site,
)

optuna.logging.set_verbosity(optuna.logging.WARNING)

WIDTH = 8

RANKS = """
name: ranks
modules: [lora]
dimensions:
  lora.rank: {choice: [0, 1, 2, 4, 8], per: site}
  learning_rate: {float: [1.0e-4, 1.0e-2], log: true}
"""
SWITCHES = """
name: switches
modules: [lora, adapter]
dimensions:
  active: {choice: [false, true], per: layer}
  lora.rank: {choice: [0, 1, 2, 4], per: group}
  adapter.bottleneck: {choice: [0, 1, 2, 4, 8]}
  learning_rate: {choice: [1.0e-4, 1.0e-3, 1.0e-2]}
"""
TINY = """
name: tiny
modules: [lora]
dimensions:
  lora.rank: {choice: [0, 1, 2]}
  learning_rate: {choice: [1.0e-4, 1.0e-3]}
"""


def expanded(text: str, layers: int = 4) -> Space:
    """The space of a YAML text on a backbone with three sites per layer."""
    sites = []
    for layer in range(layers):
        for role, kind in (("attention.query", "linear"), ("mlp.up", "linear"), ("mlp", "mlp")):
            path = f"layers.{layer}.{role}"
            sites.append(Site(layer, role, kind, path, WIDTH, WIDTH))  # type: ignore[arg-type]
    names = tuple(f"layers.{layer}" for layer in range(layers))
    backbone = Backbone("toy", "toy", names, tuple(sites), WIDTH, 10_000)
    modules = {
        "lora": _module("lora", "linear", "rank"),
        "adapter": _module("adapter", "mlp", "bottleneck"),
    }
    return expansion.expand(parse(text, source="toy"), backbone, modules)


def problem(space: Space, *, limit: float = 300.0, costs: int = 1, **changes: Any) -> Problem:
    """Maximise a score; the costs are parameters, then memory that the lowest layer decides."""

    def priced(configuration: Configuration) -> tuple[float, ...]:
        return (size(configuration), memory(configuration))[:costs]

    settings: dict[str, Any] = {
        "space": space,
        "directions": ("maximize", "minimize", "minimize")[: costs + 1],
        "modelled": 0,
        "costs": priced,
        "feasible": lambda c: 0 < size(c) <= limit,
        "limits": (limit, math.inf)[:costs],
        "design": (),
        "seed": 0,
        "stratify": size,
        "layered": Layers(limit, costs),
    }
    return Problem(**{**settings, **changes})


class Layers:
    """The toy costs, layer by layer."""

    def __init__(self, limit: float, costs: int) -> None:
        self.limit, self.costs = limit, costs

    def of_layer(self, layer: int, placements: Sequence[Placement]) -> tuple[float, ...]:
        """Parameters of a layer."""
        return (size(Configuration(tuple(placements), 0.0)),)

    def total(self, layers: Sequence[int], parts: np.ndarray) -> list[Price]:
        """The same as `problem` counts whole."""
        trained = parts[:, :, 0].sum(axis=1)
        lowest = np.array(layers)[(parts[:, :, 0] > 0).argmax(axis=1)]
        memory = 1e6 * (10 - lowest) + 12 * trained
        return [
            Price(pair[: self.costs], pair[0], True)
            if 0 < pair[0] <= self.limit
            else Price((), 0.0, False)
            for pair in zip(trained.tolist(), memory.tolist(), strict=True)
        ]


def size(configuration: Configuration) -> float:
    """Parameters: twice the width for every unit of size."""
    return float(sum(2 * WIDTH * _size(p.settings) for p in configuration.placements))


def memory(configuration: Configuration) -> float:
    """Activations above the lowest adapted layer, and a little for every parameter."""
    lowest = min((int(p.site.partition(".")[0]) for p in configuration.placements), default=9)
    return 1e6 * (10 - lowest) + 12 * size(configuration)


def score(configuration: Configuration) -> float:
    """Smooth, concave in every size, upper layers worth more, one best learning rate."""
    gain = 0.0
    for placement in configuration.placements:
        layer = int(placement.site.partition(".")[0])
        worth = (1 + layer) ** 2 * (3 if placement.site.endswith("query") else 1)
        gain += worth * math.log1p(_size(placement.settings))
    off = math.log10(configuration.learning_rate / 1e-3)
    return 0.5 + 0.4 * (1 - math.exp(-gain / 60)) - 0.1 * off**2


def values(problem: Problem, configuration: Configuration) -> list[float]:
    """What a trial of the configuration is told."""
    found = list(problem.costs(configuration))
    found.insert(problem.modelled, score(configuration))
    return found


def asked(
    study: optuna.Study, sampler: str, problem: Problem, seed: int = 0
) -> tuple[optuna.Trial, Configuration]:
    """One suggestion of a sampler made for it, with the configuration stored on the trial."""
    number = len(study.get_trials(deepcopy=False))
    study.sampler = catalog.samplers.load(sampler).build(problem, digest.seed_of(seed, number))
    trial = study.ask(fixed_distributions=distributions(problem.space))
    configuration = problem.space.decode(problem.space.point(trial.params))
    trial.set_user_attr("configuration", configuration.to_json())
    return trial, configuration


def searched(
    sampler: str, problem: Problem, trials: int, *, seed: int = 0, study: Any = None
) -> optuna.Study:
    """A study continued to a number of trials, one at a time."""
    study = study or optuna.create_study(directions=list(problem.directions))
    while len(study.get_trials(deepcopy=False)) < trials:
        trial, configuration = asked(study, sampler, problem, seed)
        study.tell(trial, values(problem, configuration))
    return study


def points(study: optuna.Study, problem: Problem) -> list[Point]:
    """The points of all trials that have one; a trial that found the space used up has none."""
    trials = study.get_trials(deepcopy=False)
    found = [t.params for t in trials if t.params and "configuration" in t.user_attrs]
    return [problem.space.point(params) for params in found]


def baseline(study: optuna.Study, configuration: Configuration, told: Sequence[float]) -> None:
    """A finished trial outside the space: a configuration and values, no parameters."""
    attributes = {"configuration": configuration.to_json()}
    study.add_trial(optuna.trial.create_trial(values=list(told), user_attrs=attributes))


def _size(settings: Any) -> int:
    return int(settings.get("rank", settings.get("bottleneck", 0)))


def _module(label: str, kind: Any, setting: str) -> PeftModule:
    def count(site: Site, settings: Any) -> Count:
        parameters = 2 * WIDTH * int(settings[setting])
        return Count(parameters, parameters)

    def stack(site: Site, settings: Any, seeds: Any) -> Any:
        raise NotImplementedError("the toy modules are never trained")

    return PeftModule(label, "", kind, setting, {}, count, stack, mergeable=False)
