"""In which order the trainings of a table are taken up: by chance, or as our sampler picks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from autopeft.optimiser import gp
from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.history import History, Observation
from autopeft.optimiser.one_thread import one_thread
from autopeft.optimiser.problem import Problem
from autopeft.types import Measured
from tests.benchmarks.rungs import Training


@dataclass
class Progress:
    """How far a replayed search is."""

    left: list[Training]
    """Not taken up, in a random order."""
    batch: list[Training] = field(default_factory=list)
    """Taken up together, not begun."""
    finished: list[Training] = field(default_factory=list)
    stopped: list[tuple[Training, Measured]] = field(default_factory=list)
    """With the score that is expected of the end."""
    held: list[tuple[int, Training]] = field(default_factory=list)
    """What was stopped for the first time, with the rung."""
    again: list[Training] = field(default_factory=list)
    """Of the batch, what was stopped before and is trained to the end."""
    steps: int = 0


Order = Callable[[Progress], Training]
"""What of `left` is taken up next."""


def by_chance(problem: Problem) -> Order:
    """The next one, whatever it is."""
    return lambda progress: progress.left[0]


def by_sampler(problem: Problem) -> Order:
    """The largest expected hypervolume improvement; by chance while nothing can be modelled."""
    candidates = Candidates(problem)

    def order(progress: Progress) -> Training:
        with one_thread():
            belief = gp.believe(candidates, _history(candidates, progress))
            if belief is None:
                return progress.left[0]
            scores = belief.score(candidates.describe([t.point for t in progress.left]))
        return progress.left[int(np.argmax(scores))]

    return order


def _history(candidates: Candidates, progress: Progress) -> History:
    ended = [(t, Measured(t.curve[-1].score, t.error)) for t in progress.finished]
    completed = tuple(
        Observation(t.point, None, (m.value, *t.costs), (m.error, *(0.0 for _ in t.costs)))
        for t, m in [*ended, *progress.stopped]
    )
    running = tuple(t.point for t in progress.batch)
    points = [*(o.point for o in completed if o.point is not None), *running]
    return History(completed, running, frozenset(candidates.identities(points)))


ORDERS: Mapping[str, Callable[[Problem], Order]] = {"chance": by_chance, "sampler": by_sampler}
