"""The initial design: what importance suggests, what saves memory, and points over the budget."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autopeft import digest
from autopeft.allocation import allocate
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.problem import Problem
from autopeft.space.space import Slot, Space
from autopeft.types import (
    Backbone,
    Configuration,
    Placement,
    Point,
    Scores,
)

LEARNING_RATE = 3e-3
SHARES = (0.9, 0.3)
"""Shares of the budget at which importance is asked for an allocation."""
RANK = 4
GUESSES, SPREAD = 4, 2
"""Most points that something speaks for, and points that only spread; these also stand in for
guesses that are missing. More of either, and the search is later at what its model chooses. With
configurations of an earlier study there are none that only spread."""


@dataclass(frozen=True)
class Design:
    """Points in the order they are tried, and why each is there."""

    points: tuple[Point, ...]
    origins: Mapping[str, str]
    """Digest of the configuration -> origin."""


def design(
    problem: Problem,
    backbone: Backbone,
    *,
    limit: int,
    importance: Mapping[str, Scores],
    seeds: Sequence[Configuration] = (),
) -> Design:
    """The initial design of a problem: few points, the best guesses first.

    Args:
        problem: with an empty design.
        backbone: its layers and sites.
        limit: PEFT parameters at the budget.
        importance: scores by the name of their method.
        seeds: configurations of an earlier study, for this backbone.
    """
    space = problem.space
    warm = [(configuration, "warm start") for configuration in seeds]
    wanted = [*warm, *_important(space, backbone, limit, importance), *_upper(space, backbone)]
    found: dict[str, tuple[Point, str]] = {}
    for configuration, origin in wanted:
        if len(found) == GUESSES:
            break
        point = _fitted(problem, configuration)
        if point is not None:
            found.setdefault(digest.of_configuration(space.decode(point)), (point, origin))
    missing = GUESSES - len(found) + (0 if seeds else SPREAD)
    for point in spread(problem, missing, problem.seed):
        found.setdefault(digest.of_configuration(space.decode(point)), (point, "spread"))
    points = tuple(point for point, _ in found.values())
    return Design(points, {key: origin for key, (_, origin) in found.items()})


def _important(
    space: Space,
    backbone: Backbone,
    limit: int,
    importance: Mapping[str, Scores],
) -> Iterator[tuple[Configuration, str]]:
    for name, scores in importance.items():
        for share in SHARES:
            placed = allocate([scores], backbone, int(share * limit), {"rank": RANK})
            yield Configuration(placed, LEARNING_RATE), f"importance: {name}"
        yield _active_like(space, placed), f"importance: {name}"


def _upper(space: Space, backbone: Backbone) -> Iterator[tuple[Configuration, str]]:
    """Every module at a small size in the upper layers only: least memory, fastest to train."""
    first = len(backbone.layers) // 2
    kept = [p for p in _small(space) if backbone.site(p.site).layer >= first]
    yield Configuration(tuple(kept), LEARNING_RATE), "upper layers"


def _active_like(space: Space, placed: Sequence[Placement]) -> Configuration:
    """Small modules of every type in the layers that an allocation chose."""
    layers = {p.site.split(".", 1)[0] for p in placed}
    kept = [p for p in _small(space) if p.site.split(".", 1)[0] in layers]
    return Configuration(tuple(kept), LEARNING_RATE)


def _small(space: Space) -> list[Placement]:
    """Every slot of the space at a size in the middle of its range."""
    found = []
    for slot in space.slots:
        settings = dict(slot.fixed)
        for name, index in slot.from_dimension.items():
            values = space.dimensions[index].values
            settings[name] = values[len(values) // 2]
        found.append(Placement(slot.site, slot.module, settings))
    return found


def _fitted(problem: Problem, configuration: Configuration) -> Point | None:
    """The nearest feasible point, its sizes lowered step by step until it fits."""
    point = project(problem.space, configuration)
    for _ in range(64):
        decoded = problem.space.decode(point)
        if not decoded.placements:
            return None
        if problem.feasible(decoded):
            return problem.space.canonical(point)
        point = _lowered(problem.space, point)
    return None


def project(space: Space, configuration: Configuration) -> Point:
    """The point whose sizes are nearest to a configuration's, site by site, on average.

    A switch is on where the configuration has any module behind it.
    """
    exact = space.encode(configuration)
    if exact is not None:
        return exact
    if space.allocator is not None:
        return tuple(len(d.values) // 2 for d in space.dimensions)
    placed = {(p.site, p.module): p for p in configuration.placements}
    indices = [d.off for d in space.dimensions]
    sizes: dict[int, list[float]] = {}
    chosen: dict[int, int] = {}
    for slot in space.slots:
        mine = placed.get((slot.site, slot.module))
        for gate in slot.gates:
            indices[gate] = max(indices[gate], int(mine is not None))
        if slot.size in slot.from_dimension:
            if mine is not None:
                _select(space, slot, chosen)
            size = float(mine.settings[slot.size]) if mine else 0.0
            sizes.setdefault(slot.from_dimension[slot.size], []).append(size)
    for index, values in sizes.items():
        used = [value for value in values if value] or [0.0]
        shared = len(used) >= len(values) / 2 or _gated(space, index)
        wanted = statistics.fmean(used if shared else values)
        indices[index] = _nearest(space.dimensions[index].values, wanted)
    for index, selected in chosen.items():
        indices[index] = selected
    indices[space.learning_rate] = _nearest(
        space.dimensions[space.learning_rate].values, configuration.learning_rate
    )
    return tuple(indices)


def _select(space: Space, slot: Slot, chosen: dict[int, int]) -> None:
    """Let the selectors of a slot choose it, where no slot before it has had the choice."""
    for index, value in space.dimensions[slot.from_dimension[slot.size]].when.items():
        chosen.setdefault(index, space.dimensions[index].values.index(value))


def _gated(space: Space, index: int) -> bool:
    """Whether switches decide where the size of a dimension applies."""
    return any(slot.gates for slot in space.slots if index in slot.from_dimension.values())


def _nearest(values: Sequence[object], wanted: float) -> int:
    return min(range(len(values)), key=lambda i: abs(float(str(values[i])) - wanted))


def _lowered(space: Space, point: Point) -> Point:
    """The point with the size that is highest in its range one step lower."""
    sizes = {
        i for slot in space.slots for i in (slot.from_dimension.get(slot.size),) if i is not None
    }
    if not sizes:
        sizes = {i for i, d in enumerate(space.dimensions) if d.name == "allocation.share"}
    top = max(sizes, key=lambda i: (space.dimensions[i].positions[point[i]], -i))
    lowered = list(point)
    lowered[top] = max(0, point[top] - 1)
    return tuple(lowered)


def with_design(problem: Problem, design: Design) -> Problem:
    """The problem with its design."""
    return replace(problem, design=design.points)
