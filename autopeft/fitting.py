"""Which configurations of a space train within a memory limit: predicted, nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopeft import budget, catalog, checkpoint
from autopeft.baselines import baselines
from autopeft.errors import UsageError
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.problem import Problem
from autopeft.sites.discovery import discover
from autopeft.space.expansion import expand
from autopeft.space.space import Space
from autopeft.space.spec import SpaceSpec
from autopeft.training.memory import MemoryModel
from autopeft.training.memory_target import Target
from autopeft.types import Backbone, Configuration, PeftModule, Placement, Site

SAMPLE = 24
"""Configurations of the space, spread over the budget."""
TASK = "text_classification"
CLASSES = 2
EVERYWHERE = "all linears"


@dataclass(frozen=True)
class Need:
    """Peak memory of one configuration in bytes, without and with gradient checkpointing."""

    label: str
    parameters: int
    memory: int
    checkpointed: int


@dataclass(frozen=True)
class Largest:
    """The largest rank at a group of sites in all layers that fits; 0 when none does."""

    group: str
    sites: int
    rank: int
    checkpointed: int
    most: int
    """The rank from which on there is nothing to gain."""


@dataclass(frozen=True)
class Plan:
    """What fits."""

    backbone: Backbone
    target: Target
    limit: int
    frozen: int
    """Bytes of the frozen weights alone."""
    space: str
    defaults: tuple[Need, ...]
    sample: tuple[Need, ...]
    largest: tuple[Largest, ...]

    @property
    def anything(self) -> bool:
        """Whether something fits, if only with checkpointing."""
        return any(need.checkpointed <= self.limit for need in (*self.defaults, *self.sample))


@dataclass(frozen=True)
class Predictor:
    """Predicts both ways of training one skeleton."""

    backbone: Backbone
    modules: Mapping[str, PeftModule]
    plain: MemoryModel
    checkpointed: MemoryModel

    def need(self, label: str, configuration: Configuration) -> Need:
        """Both peaks of a configuration."""
        parameters = budget.count(configuration, self.backbone, self.modules).parameters
        memory = self.plain.predict(configuration)
        return Need(label, parameters, memory, self.checkpointed.predict(configuration))


def predictor(source: str, target: Target, *, offline: bool = False) -> Predictor:
    """A predictor for a hub id or folder, of which only the configuration is read.

    Raises:
        MissingError: there is no such model.
        UsageError: its memory cannot be predicted.
    """
    task = catalog.tasks.load(TASK)
    model = checkpoint.headed_skeleton(
        source, architecture=task.architecture, outputs=CLASSES, offline=offline
    )
    backbone = discover(model, catalog.backbones.all(), name=checkpoint.name_of(source))
    modules = catalog.modules.all()
    head = checkpoint.head_paths(model, set())
    plain, checkpointed = (
        MemoryModel(model, backbone, modules, head, replace(target, checkpointing=on), task)
        for on in (False, True)
    )
    return Predictor(backbone, modules, plain, checkpointed)


def plan(
    predictor: Predictor, spec: SpaceSpec, *, limit: int, percent: float, seed: int = 0
) -> Plan:
    """What fits in `limit` bytes of the space and of the family defaults.

    Args:
        predictor: of the model.
        spec: the space.
        limit: bytes.
        percent: parameter budget of the sample, percent of the backbone.
        seed: of the sample.

    Raises:
        UsageError: the space needs weights or data.
    """
    if spec.importance:
        hint = "`--space lora` needs neither"
        raise UsageError(f"space `{spec.name}` is made from weights and data", hint=hint)
    backbone, modules = predictor.backbone, predictor.modules
    space = expand(spec, backbone, modules)
    allowed = math.floor(percent / 100 * backbone.parameters)
    points = spread(_problem(space, predictor, allowed), SAMPLE, seed)
    return Plan(
        backbone,
        predictor.plain.target,
        limit,
        predictor.plain.frozen,
        space.name,
        tuple(
            predictor.need(b.label, b.configuration)
            for b in baselines(backbone, modules, limit=allowed)
        ),
        tuple(predictor.need(str(i), space.decode(point)) for i, point in enumerate(points)),
        tuple(_largest(predictor, name, sites, limit) for name, sites in _groups(spec, backbone)),
    )


def _problem(space: Space, predictor: Predictor, allowed: int) -> Problem:
    """A problem that only the parameter budget limits, for drawing the sample."""

    def parameters(configuration: Configuration) -> int:
        return budget.count(configuration, predictor.backbone, predictor.modules).parameters

    return Problem(
        space=space,
        directions=("maximize", "minimize"),
        modelled=0,
        costs=lambda configuration: (float(parameters(configuration)),),
        feasible=lambda configuration: 0 < parameters(configuration) <= allowed,
        limits=(math.inf,),
        design=(),
        seed=0,
        stratify=parameters,
    )


def _groups(spec: SpaceSpec, backbone: Backbone) -> Iterator[tuple[str, list[Site]]]:
    """The space's groups of linears, and all of them; those that this backbone has."""
    linears = [site for site in backbone.sites if site.kind == "linear"]
    for name, roles in spec.groups.items():
        found = [site for site in linears if site.role in roles]
        if found:
            yield name, found
    yield EVERYWHERE, linears


def _largest(predictor: Predictor, group: str, sites: Sequence[Site], limit: int) -> Largest:
    most = max(min(site.in_features, site.out_features) for site in sites)

    def fits(model: MemoryModel) -> Callable[[int], bool]:
        return lambda rank: model.predict(_lora(predictor.modules, sites, rank)) <= limit

    plain = _last(fits(predictor.plain), most)
    return Largest(group, len(sites), plain, _last(fits(predictor.checkpointed), most), most)


def _lora(modules: Mapping[str, PeftModule], sites: Sequence[Site], rank: int) -> Configuration:
    settings: dict[str, Any] = {**modules["lora"].defaults, "rank": rank}
    return Configuration(tuple(Placement(s.name, "lora", settings) for s in sites), 1e-3)


def _last(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, when all smaller ones do; 0 when none does."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
