"""Points spread over the budget: uniform in the logarithm of the size, not in the space.

Uniform ranks all land at, or far over, the budget. So points are drawn with a random density and a
random size cap per kind of dimension, shrunk while they are over a limit, and then picked by size.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft.optimiser.candidates import Candidate, Candidates, Identity
from autopeft.optimiser.moves import Moves, family_of, switches_off
from autopeft.optimiser.problem import Problem
from autopeft.space import Dimension, Space
from autopeft.types import Point

if TYPE_CHECKING:
    import numpy as np

SHRINKS = 4
DRAWS_PER_POINT = 20
LEAST_DRAWS, MOST_DRAWS = 200, 1000
QUICK_DRAWS = 48
"""Draws for a single random point."""
ENUMERABLE = 5_000
"""Spaces up to this many structures are searched exhaustively before giving up."""


@dataclass(frozen=True)
class _Stratum:
    log_size: float
    rate: int
    """Index of the learning rate."""


def spread(problem: Problem, count: int, seed: int) -> tuple[Point, ...]:
    """Points whose sizes and learning rates are spread evenly, all feasible and distinct.

    Fewer than `count` when the space holds fewer; what `problem.design` holds is not repeated.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    candidates = Candidates(problem)
    draws = min(max(LEAST_DRAWS, DRAWS_PER_POINT * count), MOST_DRAWS)
    pool = draw(candidates, draws, rng)
    taken = {c.identity for c in map(candidates.feasible, problem.design) if c is not None}
    sizes = _log_sizes(candidates, pool, [(i + 0.5) / count for i in range(count)])
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
    problem: Problem, rng: np.random.Generator, seen: AbstractSet[Identity]
) -> Point | None:
    """A random point of a random size that is not seen yet; None when nothing is left.

    Small spaces are enumerated before None is given; large ones are given up after many draws.
    """
    candidates = Candidates(problem)
    pool = draw(candidates, QUICK_DRAWS, rng)
    (log_size,) = _log_sizes(candidates, pool, [float(rng.random())])
    stratum = _Stratum(log_size, _rate_index(problem.space, float(rng.random())))
    found = _nearest(candidates, pool, stratum, seen) or _leftover(candidates, rng, seen)
    return None if found is None else candidates.canonical(found).point


def draw(candidates: Candidates, count: int, rng: np.random.Generator) -> list[Candidate]:
    """Distinct feasible candidates from `count` draws of random density and size."""
    space = candidates.problem.space
    moves = Moves(space)
    found: dict[Identity, Candidate] = {}
    for _ in range(count):
        point = _sparse(space, rng)
        if moves.families and rng.random() < 1 / 3:
            point = moves.cut_below(point, rng)
        candidate = _shrunk(candidates, point, rng)
        if candidate is not None:
            found.setdefault(candidate.identity, candidate)
    return list(found.values())


def _sparse(space: Space, rng: np.random.Generator) -> Point:
    """A point with a random share of the switchable dimensions on, none above a random cap."""
    members = Counter(family_of(dimension) for dimension in space.dimensions)
    law = {name: ((n + 1.0) ** -rng.random(), rng.random()) for name, n in members.items()}
    chances = rng.random((len(space.dimensions), 2)).tolist()
    point = []
    for index, (dimension, chance) in enumerate(zip(space.dimensions, chances, strict=True)):
        if index == space.learning_rate:
            point.append(_rate_index(space, chance[0]))
        else:
            point.append(_value_index(dimension, law[family_of(dimension)], chance))
    return tuple(point)


def _value_index(
    dimension: Dimension, law: tuple[float, float], chance: tuple[float, float]
) -> int:
    """Off, or a value up to the cap; law is (density, cap) and the chances are uniform."""
    density, cap = law
    last = len(dimension.values) - 1
    if last == 0 or not switches_off(dimension):
        return int(chance[1] * (last + 1))
    if chance[0] >= density:
        return dimension.off
    on = int(chance[1] * max(1, math.ceil(cap * last)))
    return on if on < dimension.off else on + 1


def _shrunk(candidates: Candidates, point: Point, rng: np.random.Generator) -> Candidate | None:
    """The candidate at the point, or at a smaller one when the point is over a limit."""
    candidate = candidates.feasible(point)
    dimensions = candidates.problem.space.dimensions
    for _ in range(SHRINKS):
        if candidate is not None:
            break
        point = tuple(
            (d.off if rng.random() < 0.4 else max(i - 1, 0)) if switches_off(d) else i
            for d, i in zip(dimensions, point, strict=True)
        )
        candidate = candidates.feasible(point)
    return candidate


def _log_sizes(
    candidates: Candidates, pool: Collection[Candidate], shares: Sequence[float]
) -> list[float]:
    """Log sizes at shares of the way from the smallest of the pool to the largest."""
    logs = [candidates.log_size(c) for c in pool] or [0.0]
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
        key=lambda c: (
            c.identity[0] in structures,
            abs(candidates.log_size(c) - stratum.log_size),
        ),
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
    positions = space.dimensions[space.learning_rate].positions
    return min(range(len(positions)), key=lambda i: abs(positions[i] - position))


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
