"""The scale that the costs of a front are read on.

A front is read in orders of magnitude: from 0.01 % to 0.02 % matters as much as from 0.5 % to 1 %.
So a cost that cannot be negative becomes `log1p(RESOLUTION x cost / ceiling)`, whatever its unit;
below a thousandth of the ceiling it flattens out, which keeps a cost of zero finite. A cost that is
maximised is negated and kept linear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autopeft.optimiser.problem import Problem
from autopeft.types import Direction

RESOLUTION = 1000.0
AT_THE_LIMIT = 1.01
"""The reference lies this far beyond a hard limit, so that using a budget up still counts."""
UNLIMITED = 1.1
"""Without a limit, the reference lies this far beyond the largest cost seen."""


@dataclass(frozen=True)
class CostScale:
    """Costs in their own units -> smaller is better, evenly readable."""

    directions: tuple[Direction, ...]
    ceilings: tuple[float, ...]
    """Worst cost that counts, one per cost, in its own unit with the sign of its direction."""

    def __call__(self, costs: Sequence[float]) -> tuple[float, ...]:
        """The scaled costs; smaller is better for each of them."""
        triples = zip(costs, self.directions, self.ceilings, strict=True)
        return tuple(_scaled(_signed(c, way), ceiling, way) for c, way, ceiling in triples)

    @property
    def reference(self) -> tuple[float, ...]:
        """The worst scaled costs that count."""
        pairs = zip(self.ceilings, self.directions, strict=True)
        return tuple(_scaled(ceiling, ceiling, way) for ceiling, way in pairs)


def cost_scale(problem: Problem, seen: Sequence[Sequence[float]]) -> CostScale:
    """The scale of a problem's costs, given the costs of everything evaluated so far."""
    directions = tuple(d for i, d in enumerate(problem.directions) if i != problem.modelled)
    ceilings = tuple(
        _ceiling(_signed(limit, way), [_signed(costs[axis], way) for costs in seen])
        for axis, (limit, way) in enumerate(zip(problem.limits, directions, strict=True))
    )
    return CostScale(directions, ceilings)


def _ceiling(limit: float, seen: Sequence[float]) -> float:
    if math.isfinite(limit):
        return _beyond(limit, AT_THE_LIMIT)
    return _beyond(max(seen, default=0.0), UNLIMITED)


def _beyond(cost: float, factor: float) -> float:
    """A little worse than the cost, whatever its sign."""
    return cost + (factor - 1.0) * (abs(cost) or 1.0)


def _signed(cost: float, direction: Direction) -> float:
    return cost if direction == "minimize" else -cost


def _scaled(cost: float, ceiling: float, direction: Direction) -> float:
    if direction == "maximize" or ceiling <= 0:
        return cost
    return math.log1p(RESOLUTION * max(cost, 0.0) / ceiling)
