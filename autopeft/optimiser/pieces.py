"""What is known of placements before any training, beside their price.

One slot of a space holds few different placements, so each is made and looked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autopeft.optimiser.problem import Problem
from autopeft.space.space import Slot
from autopeft.types import Placement, Point

Content = frozenset[object]
"""Placements of one layer."""
Traits = NDArray[np.float64]
"""What the problem's prior sees of placements; empty without a prior."""


@dataclass(frozen=True)
class Piece:
    """One placement."""

    placement: Placement
    key: object
    """Equal for equal placements."""
    worth: float
    traits: Traits


class Pieces:
    """The placements of one slot."""

    def __init__(self, problem: Problem, slot: Slot, dimensions: Iterable[int]) -> None:
        """Nothing is known yet; `dimensions` are those that decide what the slot holds."""
        self._problem, self._slots = problem, (slot,)
        self._dimensions = sorted(dimensions)
        self._known: dict[tuple[int, ...], Piece | None] = {}

    def at(self, point: Point) -> Piece | None:
        """What a point places in the slot."""
        key = tuple([point[index] for index in self._dimensions])
        if key not in self._known:
            placed = self._problem.space.placed(self._slots, point)
            self._known[key] = self._piece(placed[0]) if placed else None
        return self._known[key]

    def _piece(self, placement: Placement) -> Piece:
        worth, traits = worth_of(self._problem, [placement]), traits_of(self._problem, [placement])
        return Piece(placement, _key(placement), worth, traits)


def content_of(placements: Sequence[Placement]) -> Content:
    """What tells one layer's placements from all others."""
    return frozenset(map(_key, placements))


def worth_of(problem: Problem, placements: Sequence[Placement]) -> float:
    """Sum of the problem's guess of what each placement adds; 0 without a guess."""
    worth = problem.worth
    return 0.0 if worth is None else sum(worth(placement) for placement in placements)


def traits_of(problem: Problem, placements: Sequence[Placement]) -> Traits:
    """What the problem's prior sees of the placements together."""
    prior = problem.prior
    if prior is None:
        return np.zeros(0)
    return sum(map(prior.traits, placements), start=np.zeros(prior.width))


def _key(placement: Placement) -> object:
    return placement.site, placement.module, frozenset(placement.settings.items())
