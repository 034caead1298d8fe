import numpy as np

from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.repair import REACH, repaired
from tests import toy_problem

RANKS = toy_problem.expanded(toy_problem.RANKS)
TINY = toy_problem.expanded(toy_problem.TINY)
SITES = len(RANKS.dimensions) - 1


def ranks(*values):
    """Ranks by their index, the rest off, at the middle rate."""
    rate = len(RANKS.dimensions[RANKS.learning_rate].values) // 2
    point = [0] * SITES
    point[: len(values)] = values
    point.insert(RANKS.learning_rate, rate)
    return tuple(point)


def repair(point, *, space=RANKS, limit=300.0, seen=frozenset(), seed=0):
    candidates = Candidates(toy_problem.problem(space, limit=limit))
    return repaired(candidates, point, np.random.default_rng(seed), seen)


def steps(a, b):
    return sum(x != y for x, y in zip(a, b, strict=True))


def test_nothing_at_all_becomes_a_small_adapter():
    for seed in range(5):
        found = repair(ranks(), seed=seed)
        assert steps(found.point, ranks()) == 1
        assert found.price.size > 0


def test_a_known_point_becomes_a_neighbour():
    known = Candidates(toy_problem.problem(RANKS)).feasible(ranks(2, 1))
    found = repair(known.point, seen={known.identity})
    assert found.identity != known.identity
    assert steps(found.point, known.point) == 1


def test_a_point_just_over_a_limit_keeps_most_of_what_it_has():
    over = ranks(4, 4, 2, 1)
    size = toy_problem.size(RANKS.decode(over))
    found = repair(over, limit=size - 1)
    assert 0 < found.price.size < size
    assert steps(found.point, over) <= REACH
    assert found.price.size > size / 4


def test_a_point_far_over_a_limit_is_shrunk():
    found = repair(ranks(*[4] * SITES), limit=40.0)
    assert 0 < found.price.size <= 40


def test_nothing_is_found_where_everything_is_known():
    candidates = Candidates(toy_problem.problem(TINY))
    points = [(rank, rate) for rank in (1, 2) for rate in (0, 1)]
    seen = {candidates.feasible(point).identity for point in points}
    assert repair(points[0], space=TINY, seen=seen) is None


def test_the_seed_decides():
    assert repair(ranks(), seed=1) == repair(ranks(), seed=1)
    assert len({repair(ranks(), seed=seed).point for seed in range(8)}) > 1
