"""A workbench and a space -> the problem that samplers see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from autopeft import allocation, budget, catalog
from autopeft.errors import NothingFits, SpaceError, UsageError
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.problem import Prior, Problem
from autopeft.scoring import site_scores
from autopeft.scoring.worth import Worth, worth_of
from autopeft.search import layer_prices
from autopeft.space.expansion import expand
from autopeft.space.space import Allocator, Space
from autopeft.space.spec import SpaceSpec
from autopeft.study.ledger import Ledger
from autopeft.types import (
    Configuration,
    Objective,
    Placement,
    Scores,
    Settings,
)
from autopeft.workbench import Note, Workbench

DESIGN_METHODS = ("spt",)
"""Importance methods whose allocations enter every initial design."""

Importance = Mapping[str, Scores]
"""Scores by the name of the method."""


@dataclass(frozen=True)
class Limits:
    """What no configuration may exceed."""

    parameters: int
    memory: float
    """Bytes; infinite where there is no limit."""


def chosen_objectives(names: tuple[str, ...]) -> dict[str, Objective]:
    """The objectives by name, the one that is measured by training first.

    Raises:
        UsageError: one is unknown or repeated, or not exactly one is measured by training.
    """
    found = {name: catalog.objectives.load(name) for name in names}
    if len(found) != len(names):
        raise UsageError("an objective is named twice", hint="name each `--objective` once")
    trained = [name for name, piece in found.items() if piece.stage in ("proxy", "confirm")]
    if len(trained) != 1:
        hint = "`--objective accuracy` and any of the others"
        raise UsageError("exactly one objective must be measured by training", hint=hint)
    if len(found) > 3:
        raise UsageError(f"{len(found)} objectives are too many to search", hint="use up to three")
    return {trained[0]: found[trained[0]], **found}


def importance(bench: Workbench, spec: SpaceSpec, ledger: Ledger | None, note: Note) -> Importance:
    """Scores of the methods that the design and the space use; from the study when it has them."""
    found = {}
    for name in sorted({*DESIGN_METHODS, *spec.importance}):
        stored = ledger.recall(f"importance:{name}") if ledger else None
        if stored is None:
            note(f"scoring the sites with {name}")
            found[name] = site_scores.score_sites(bench, name)
        else:
            found[name] = site_scores.from_json(stored)
    return found


def limits_of(bench: Workbench) -> Limits:
    """The budget in parameters, and the memory limit."""
    allowed = math.floor(bench.settings.budget / 100 * bench.backbone.parameters)
    return Limits(allowed, float(bench.settings.memory or math.inf))


def expanded(bench: Workbench, spec: SpaceSpec, found: Importance, limits: Limits) -> Space:
    """The space for this backbone; an importance method allocates at the budget."""
    allocator = _allocator(bench, spec, found, limits) if spec.importance else None
    return expand(spec, bench.backbone, bench.modules, allocator=allocator)


def _allocator(bench: Workbench, spec: SpaceSpec, found: Importance, limits: Limits) -> Allocator:
    _check_settings(spec)
    scores = [found[name] for name in spec.importance]
    fixed = {k: v for settings in spec.modules.values() for k, v in settings.items()}

    def allocate(share: float, settings: Settings) -> tuple[Placement, ...]:
        within = int(share * limits.parameters)
        return allocation.allocate(scores, bench.backbone, within, {**fixed, **settings})

    return allocate


def _check_settings(spec: SpaceSpec) -> None:
    """Whether each `allocation.*` dimension means something to an allocator."""
    known = {"share", *allocation.known_settings(spec.importance)}
    for dimension in spec.dimensions:
        room, _, setting = dimension.name.partition(".")
        if room == "allocation" and setting not in known:
            message = f"{spec.source}:{dimension.line}: no allocator has the setting `{setting}`"
            raise SpaceError(message, hint=f"known: {', '.join(sorted(known))}")


def problem_of(
    bench: Workbench,
    space: Space,
    objectives: Mapping[str, Objective],
    limits: Limits,
    *,
    importance: Importance | None = None,
    prior: Prior | None = None,
) -> Problem:
    """The problem, with an empty design; importance and a prior are hints for samplers.

    Raises:
        NothingFits: not even the smallest configuration is within the limits.
    """
    evaluator = bench.evaluator
    names = list(objectives)
    modelled = next(i for i, o in enumerate(objectives.values()) if o.stage in ("proxy", "confirm"))
    known = [objective for i, objective in enumerate(objectives.values()) if i != modelled]

    def parameters(configuration: Configuration) -> int:
        return budget.count(configuration, bench.backbone, bench.modules).parameters

    def costs(configuration: Configuration) -> tuple[float, ...]:
        outcome = evaluator.before_training(configuration)
        return tuple(objective.value(outcome).value for objective in known)

    def feasible(configuration: Configuration) -> bool:
        if not 0 < parameters(configuration) <= limits.parameters:
            return False
        return math.isinf(limits.memory) or evaluator.memory.predict(configuration) <= limits.memory

    problem = Problem(
        space=space,
        directions=tuple(o.direction for o in objectives.values()),
        modelled=modelled,
        costs=costs,
        feasible=feasible,
        limits=tuple(_limit(name, bench) for i, name in enumerate(names) if i != modelled),
        design=(),
        seed=bench.settings.seed,
        stratify=parameters,
        layered=layer_prices.prices(
            evaluator, known, parameters=limits.parameters, memory=limits.memory
        ),
        worth=_worth(bench, importance or {}),
        prior=prior,
    )
    _check_something_fits(problem, bench, limits)
    return problem


def _worth(bench: Workbench, found: Importance) -> Worth | None:
    """What the first method of the design says that a placement is worth."""
    scores = next((found[name] for name in DESIGN_METHODS if name in found), None)
    return None if scores is None else worth_of(scores, bench.modules)


def _limit(name: str, bench: Workbench) -> float:
    """The hard limit of an objective in its own unit."""
    if name == "trainable_parameters":
        return bench.settings.budget
    if name == "peak_memory" and bench.settings.memory:
        return float(bench.settings.memory)
    return math.inf


def _check_something_fits(problem: Problem, bench: Workbench, limits: Limits) -> None:
    if spread(problem, 1, problem.seed):
        return
    smallest = _smallest(problem, bench)
    share = 100 * smallest / bench.backbone.parameters
    raise NothingFits(
        f"no configuration of space `{problem.space.name}` is within the limits: the smallest has "
        f"{smallest:,} parameters ({share:.3g} %), the budget allows {limits.parameters:,}",
        hint=f"raise the budget to at least `--budget {share * 1.01:.3g}%`"
        if smallest > limits.parameters
        else "raise `--memory`",
    )


def _smallest(problem: Problem, bench: Workbench) -> int:
    """Parameters of the smallest configuration that is not empty, from one-dimension points."""
    space = problem.space
    gates = {gate for slot in space.slots for gate in slot.gates}
    sizes = {
        slot.from_dimension[slot.size] for slot in space.slots if slot.size in slot.from_dimension
    }
    base = [d.off for d in space.dimensions]
    found = []
    for size in sorted(sizes):
        for gate in sorted(gates) or [size]:
            point = list(base)
            point[gate] = len(space.dimensions[gate].values) - 1 if gate in gates else point[gate]
            values = space.dimensions[size].values
            for selector, value in space.dimensions[size].when.items():
                point[selector] = space.dimensions[selector].values.index(value)
            point[size] = min(
                (i for i, v in enumerate(values) if v), key=lambda i: float(values[i])
            )
            configuration = space.decode(tuple(point))
            found.append(budget.count(configuration, bench.backbone, bench.modules).parameters)
    return min((count for count in found if count), default=0)
