"""Discrete local search for the best unseen feasible point under a score.

It starts from the neighbours of the current front and from points spread over the budget, then
climbs from the best of them. All climbers take their steps together, because scoring many
candidates at once costs little more than scoring one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from autopeft.optimiser.candidates import Candidate, Candidates, Identity
from autopeft.optimiser.initial_design import draw
from autopeft.optimiser.moves import Moves, Row
from autopeft.types import Point

Score = Callable[[Sequence[Candidate]], Sequence[float]]

CLIMBERS = 6
BATCH = 24
PATIENCE = 2
"""Batches without improvement after which a climber rests."""
DRAWN = 0.25
"""Share of the evaluations that go to points spread over the budget."""
AROUND = 0.25
"""Share that goes to neighbours of the front."""


@dataclass
class _Climber:
    value: float
    centre: Candidate
    idle: int = 0


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
        self.moves = Moves(candidates.grid)
        self.scored: dict[Identity, tuple[float, Candidate]] = {}
        self.value = -math.inf
        """Score of the best candidate."""

    def best(self, centres: Sequence[Point], evaluations: int) -> Candidate | None:
        """The best candidate found, at its canonical point; None when none has a finite score.

        Args:
            centres: Points of the current front, seen or not.
            evaluations: Most points that are looked at.
        """
        drawn, around = int(DRAWN * evaluations), int(AROUND * evaluations)
        self._add(draw(self.candidates, drawn, self.rng))
        if centres:
            rows = self.candidates.grid.array(centres)
            self._step([rows[i % len(rows)] for i in range(around)])
        ranked = sorted(self.scored.values(), key=lambda pair: pair[0], reverse=True)
        starts = [_Climber(*pair) for pair in ranked[:CLIMBERS] if pair[0] > -math.inf]
        self._climb(starts, evaluations - drawn - around)
        nothing: tuple[float, Candidate | None] = (-math.inf, None)
        self.value, winner = max(self.scored.values(), key=lambda p: p[0], default=nothing)
        return self.candidates.canonical(winner) if winner and self.value > -math.inf else None

    def _climb(self, climbers: list[_Climber], evaluations: int) -> None:
        while climbers and evaluations >= BATCH * len(climbers):
            evaluations -= BATCH * len(climbers)
            rows = self.candidates.grid.array([climber.centre.point for climber in climbers])
            steps = self._step([row for row in rows for _ in range(BATCH)])
            for index, climber in enumerate(climbers):
                mine = steps[index * BATCH : (index + 1) * BATCH]
                top, best = max(mine, key=lambda pair: pair[0])
                climber.idle = 0 if top > climber.value else climber.idle + 1
                if top > climber.value and best is not None:
                    climber.value, climber.centre = top, best
            climbers = [climber for climber in climbers if climber.idle < PATIENCE]

    def _step(self, rows: Sequence[Row]) -> list[tuple[float, Candidate | None]]:
        """A neighbour of every row, with its score; the same one twice counts the first time."""
        if not rows:
            return []
        near = np.stack([self.moves.neighbour(row, self.rng) for row in rows])
        looked = self.candidates.look(near)
        new = self._add(candidate for candidate in looked if candidate is not None)
        scores = (new.pop(c.identity, -math.inf) if c else -math.inf for c in looked)
        return list(zip(scores, looked, strict=True))

    def _add(self, found: Iterable[Candidate]) -> dict[Identity, float]:
        """Scores what is new and unseen; gives its scores."""
        fresh = {
            c.identity: c
            for c in found
            if c.identity not in self.seen and c.identity not in self.scored
        }
        scores = self.score(list(fresh.values())) if fresh else []
        new = {identity: float(score) for identity, score in zip(fresh, scores, strict=True)}
        self.scored.update({identity: (new[identity], c) for identity, c in fresh.items()})
        return new
