"""What is known of a point before any training: its configuration, its costs and its identity.

Counting is the dear part of choosing a point, so it is done once per structure: the learning rate
changes neither size nor memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autopeft.optimiser.problem import Problem
from autopeft.types import Configuration, Placement, Point

Identity = tuple[frozenset[object], float]
"""Placements and learning rate; equal for configurations that train the same thing."""


@dataclass(frozen=True)
class Candidate:
    """A feasible point."""

    point: Point
    configuration: Configuration
    identity: Identity
    costs: tuple[float, ...]
    """In the problem's own units."""


@dataclass(frozen=True)
class _Structure:
    placements: tuple[Placement, ...]
    key: frozenset[object]
    costs: tuple[float, ...]


def identity_of(configuration: Configuration) -> Identity:
    """What tells a configuration from all that train something else."""
    return _key(configuration.placements), configuration.learning_rate


class Candidates:
    """Points of one problem, looked up once per structure."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._structures: dict[Point, _Structure | None] = {}
        self._log_sizes: dict[frozenset[object], float] = {}

    def feasible(self, point: Point) -> Candidate | None:
        """The candidate at a point, or None when it is empty or over a limit."""
        space = self.problem.space
        key = space.structure(point)
        if key not in self._structures:
            self._structures[key] = self._look(space.decode(point))
        structure = self._structures[key]
        if structure is None:
            return None
        rate = float(space.dimensions[space.learning_rate].values[point[space.learning_rate]])
        configuration = Configuration(structure.placements, rate)
        return Candidate(point, configuration, (structure.key, rate), structure.costs)

    def canonical(self, candidate: Candidate) -> Candidate:
        """The same configuration at its canonical point."""
        found = self.feasible(self.problem.space.canonical(candidate.point))
        return candidate if found is None else found

    def log_size(self, candidate: Candidate) -> float:
        """Logarithm of the size by which budget-spread points are spread."""
        key, _ = candidate.identity
        if key not in self._log_sizes:
            size = self.problem.stratify(candidate.configuration)
            self._log_sizes[key] = math.log1p(max(size, 0.0))
        return self._log_sizes[key]

    def _look(self, configuration: Configuration) -> _Structure | None:
        if not self.problem.feasible(configuration):
            return None
        placements = configuration.placements
        return _Structure(placements, _key(placements), self.problem.costs(configuration))


def _key(placements: Sequence[Placement]) -> frozenset[object]:
    return frozenset((p.site, p.module, frozenset(p.settings.items())) for p in placements)
