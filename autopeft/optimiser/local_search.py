"""Discrete local search for the best unseen feasible point under a score.

It starts from the neighbours of the current front and from points spread over the budget, then
climbs from the best of them, one random batch of neighbours at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from autopeft.optimiser.candidates import Candidate, Candidates, Identity
from autopeft.optimiser.initial_design import draw
from autopeft.optimiser.moves import Moves
from autopeft.types import Point

if TYPE_CHECKING:
    import numpy as np

Score = Callable[[Sequence[Candidate]], Sequence[float]]

CLIMBERS = 6
BATCH = 24
PATIENCE = 2
"""Batches without improvement after which a climber rests."""


class LocalSearch:
    """One search; every unseen candidate is scored once."""

    def __init__(
        self,
        candidates: Candidates,
        score: Score,
        *,
        seen: AbstractSet[Identity],
        rng: np.random.Generator,
    ) -> None:
        self.candidates = candidates
        self.score = score
        self.seen = seen
        self.rng = rng
        self.moves = Moves(candidates.problem.space)
        self.scored: dict[Identity, tuple[float, Candidate]] = {}

    def best(self, centres: Sequence[Point], evaluations: int) -> Candidate | None:
        """The best candidate found, at its canonical point; None when none has a finite score.

        Args:
            centres: Points of the current front, seen or not.
            evaluations: Most points that are looked at.
        """
        quarter = evaluations // 4
        self._add(draw(self.candidates, quarter, self.rng))
        if centres:
            around = [centres[i % len(centres)] for i in range(quarter)]
            self._add(self._neighbours(around))
        ranked = sorted(self.scored.values(), key=lambda pair: pair[0], reverse=True)
        starts = [pair for pair in ranked if pair[0] > -math.inf][:CLIMBERS]
        for value, start in starts:
            self._climb(start, value, (evaluations - 2 * quarter) // len(starts))
        value, winner = max(self.scored.values(), key=lambda p: p[0], default=(-math.inf, None))
        return self.candidates.canonical(winner) if winner and value > -math.inf else None

    def _climb(self, start: Candidate, value: float, evaluations: int) -> None:
        centre, idle = start, 0
        for _ in range(evaluations // BATCH):
            batch = self._add(self._neighbours([centre.point] * BATCH))
            top, best = max(batch, key=lambda pair: pair[0], default=(value, centre))
            idle = 0 if top > value else idle + 1
            if top > value:
                value, centre = top, self.candidates.canonical(best)
            if idle >= PATIENCE:
                return

    def _neighbours(self, points: Iterable[Point]) -> list[Candidate]:
        near = (self.moves.neighbour(point, self.rng) for point in points)
        return [c for c in map(self.candidates.feasible, near) if c is not None]

    def _add(self, found: Iterable[Candidate]) -> list[tuple[float, Candidate]]:
        """Scores what is new and unseen; gives it with its scores."""
        fresh = {c.identity: c for c in found if c.identity not in self.seen}
        new = [c for identity, c in fresh.items() if identity not in self.scored]
        scores = self.score(new) if new else []
        pairs = [(float(s), c) for s, c in zip(scores, new, strict=True)]
        self.scored.update({c.identity: (s, c) for s, c in pairs})
        return pairs
