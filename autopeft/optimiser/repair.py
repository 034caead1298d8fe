"""A point nearby that can be tried, for one that is empty, over a limit or known."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from autopeft.optimiser.candidates import Candidate, Candidates, Identity
from autopeft.optimiser.grid import Points
from autopeft.optimiser.initial_design import shrunk
from autopeft.optimiser.moves import Moves
from autopeft.types import Point

WALKS = 32
"""Random walks of each length."""
REACH = 8
"""Most steps of a walk."""


def repaired(
    candidates: Candidates, point: Point, rng: np.random.Generator, seen: AbstractSet[Identity]
) -> Candidate | None:
    """A feasible candidate that is not seen, few random steps away.

    Where no walk of up to `REACH` steps leads to one, the ends of the walks are shrunk until they
    are within the limits; None when that leads to none either.
    """
    moves = Moves(candidates.grid)
    walks: Points = np.repeat(candidates.grid.array([point]), WALKS, axis=0)
    for _ in range(REACH):
        walks = np.stack([moves.exchange(row, rng) for row in walks])
        for candidate in candidates.look(walks):
            if candidate is not None and candidate.identity not in seen:
                return candidate
    return next((c for c in shrunk(candidates, walks, rng) if c.identity not in seen), None)
