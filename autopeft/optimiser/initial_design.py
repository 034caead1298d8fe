"""Points spread over the budget: uniform in the logarithm of the size, not in the space.

Uniform ranks all land at, or far over, the budget. So points are drawn with a random density and a
random size cap per kind of dimension, shrunk while they are over a limit, and then picked by size.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autopeft.optimiser.candidates import Candidate, Candidates, Identity
from autopeft.optimiser.grid import Grid, Points
from autopeft.optimiser.moves import Moves, family_of
from autopeft.optimiser.problem import Problem
from autopeft.space.space import Space
from autopeft.types import Point

SHRINKS = 4
DRAWS_PER_POINT = 20
LEAST_DRAWS, MOST_DRAWS = 200, 1000
QUICK_DRAWS = 48
"""Draws for a single random point."""
ENUMERABLE = 5_000
"""Spaces up to this many structures are searched exhaustively before giving up."""
CUT = 1 / 3
"""Share of the draws whose lowest layers are switched off."""
SWITCHED_OFF = 0.4
"""Chance that shrinking switches a dimension off rather than taking its next smaller value."""


@dataclass(frozen=True)
class _Stratum:
    log_size: float
    rate: int
    """Index of the learning rate."""


def spread(problem: Problem, count: int, seed: int) -> tuple[Point, ...]:
    """Points whose sizes and learning rates are spread evenly, all feasible and distinct.

    Fewer than `count` when the space holds fewer; what `problem.design` holds is not repeated.
    """
    rng = np.random.default_rng(seed)
    candidates = Candidates(problem)
    draws = min(max(LEAST_DRAWS, DRAWS_PER_POINT * count), MOST_DRAWS)
    pool = draw(candidates, draws, rng)
    taken = {c.identity for c in map(candidates.feasible, problem.design) if c is not None}
    sizes = _log_sizes(pool, [(i + 0.5) / count for i in range(count)])
    points: list[Point] = []
    for log_size, rate in zip(sizes, _rates(problem.space, count, rng), strict=True):
        stratum = _Stratum(log_size, rate)
        found = _nearest(candidates, pool, stratum, taken) or _leftover(candidates, rng, taken)
        if found is None:
            break
        taken.add(found.identity)
        points.append(candidates.canonical(found).point)
    return tuple(points)


def random_feasible(
    candidates: Candidates, rng: np.random.Generator, seen: AbstractSet[Identity]
) -> Point | None:
    """A random point of a random size that is not seen yet; None when nothing is left.

    Small spaces are enumerated before None is given; large ones are given up after many draws.
    """
    pool = draw(candidates, QUICK_DRAWS, rng)
    (log_size,) = _log_sizes(pool, [float(rng.random())])
    stratum = _Stratum(log_size, _rate_index(candidates.problem.space, float(rng.random())))
    found = _nearest(candidates, pool, stratum, seen) or _leftover(candidates, rng, seen)
    return None if found is None else candidates.canonical(found).point


def draw(candidates: Candidates, count: int, rng: np.random.Generator) -> list[Candidate]:
    """Distinct feasible candidates from `count` draws of random density and size."""
    grid = candidates.grid
    moves = Moves(grid)
    points = _sparse(grid, count, rng)
    if moves.families:
        for row in np.flatnonzero(rng.random(count) < CUT):
            points[row] = moves.cut_below(points[row], rng)
    found: dict[Identity, Candidate] = {}
    for candidate in shrunk(candidates, points, rng):
        found.setdefault(candidate.identity, candidate)
    return list(found.values())


def _sparse(grid: Grid, count: int, rng: np.random.Generator) -> Points:
    """Points with a random share of the switchable dimensions on, none above a random cap."""
    names = [family_of(dimension) for dimension in grid.space.dimensions]
    families = {name: index for index, name in enumerate(dict.fromkeys(names))}
    family = np.array([families[name] for name in names])
    members = np.bincount(family)
    density = ((members + 1.0) ** -rng.random((count, len(members))))[:, family]
    cap = rng.random((count, len(members)))[:, family]
    last = grid.counts - 1
    on = np.floor(rng.random(cap.shape) * np.maximum(1, np.ceil(cap * last))).astype(np.int16)
    on += on >= grid.off
    values = np.where(rng.random(cap.shape) < density, on, grid.off)
    anything = np.floor(rng.random(cap.shape) * grid.counts)
    points = np.where(grid.switchable & (last > 0), values, anything).astype(np.int16)
    rate = grid.space.learning_rate
    points[:, rate] = [_rate_index(grid.space, quantile) for quantile in rng.random(count)]
    return points


def shrunk(candidates: Candidates, points: Points, rng: np.random.Generator) -> Iterator[Candidate]:
    """The candidates at the points, or at smaller ones where a point is over a limit."""
    grid = candidates.grid
    for _ in range(SHRINKS + 1):
        looked = candidates.look(points)
        yield from (candidate for candidate in looked if candidate is not None)
        points = points[[candidate is None for candidate in looked]]
        if not len(points):
            return
        off = rng.random(points.shape) < SWITCHED_OFF
        smaller = np.where(off, grid.off, np.maximum(points - 1, 0))
        points = np.where(grid.switchable, smaller, points)


def _log_sizes(pool: Collection[Candidate], shares: Sequence[float]) -> list[float]:
    """Log sizes at shares of the way from the smallest of the pool to the largest."""
    logs = [candidate.log_size for candidate in pool] or [0.0]
    low, high = min(logs), max(logs)
    return [low + (high - low) * share for share in shares]


def _nearest(
    candidates: Candidates,
    pool: Sequence[Candidate],
    stratum: _Stratum,
    taken: AbstractSet[Identity],
) -> Candidate | None:
    """The candidate of the stratum that is not taken; rather of a structure not taken either."""
    structures = {structure for structure, _ in taken}
    near = sorted(
        pool,
        key=lambda c: (c.identity[0] in structures, abs(c.log_size - stratum.log_size)),
    )
    tuned = (_tuned(candidates, c, stratum.rate) for c in near)
    return next((c for c in tuned if c.identity not in taken), None)


def _rates(space: Space, count: int, rng: np.random.Generator) -> list[int]:
    """Learning-rate indices, one per stratum, shuffled."""
    strata = [(i + 0.5) / count for i in range(count)]
    return [_rate_index(space, strata[int(i)]) for i in rng.permutation(count)]


def _rate_index(space: Space, quantile: float) -> int:
    """Learning rate at a quantile of a law that is four times denser in the middle."""
    centred = quantile - 0.5
    position = 0.5 + 0.5 * centred + 2 * centred**3
    positions: NDArray[np.float64] = np.array(space.dimensions[space.learning_rate].positions)
    return int(np.abs(positions - position).argmin())


def _tuned(candidates: Candidates, candidate: Candidate, rate: int) -> Candidate:
    """The candidate at another learning rate."""
    axis, point = candidates.problem.space.learning_rate, candidate.point
    return candidates.feasible((*point[:axis], rate, *point[axis + 1 :])) or candidate


def _leftover(
    candidates: Candidates, rng: np.random.Generator, seen: AbstractSet[Identity]
) -> Candidate | None:
    """Any candidate that is not seen, by exhaustive search where the space is small."""
    space = candidates.problem.space
    rates = len(space.dimensions[space.learning_rate].values)
    if space.size // rates > ENUMERABLE:
        more = (c for c in draw(candidates, MOST_DRAWS, rng) if c.identity not in seen)
        return next(more, None)
    return next((c for c in _every(candidates, rng) if c.identity not in seen), None)


def _every(candidates: Candidates, rng: np.random.Generator) -> Iterator[Candidate]:
    """All candidates of a small space, in random order."""
    space = candidates.problem.space
    axes = [range(len(d.values)) for d in space.dimensions]
    rates, axes[space.learning_rate] = axes[space.learning_rate], range(1)
    structures = list(itertools.product(*axes))
    for index in rng.permutation(len(structures)):
        candidate = candidates.feasible(structures[int(index)])
        if candidate is not None:
            yield from (_tuned(candidates, candidate, int(r)) for r in rng.permutation(len(rates)))
