import dataclasses
import itertools
import math

import numpy as np
import pytest

from autopeft.optimiser.candidates import Candidates, identity_of
from autopeft.optimiser.local_search import LocalSearch
from tests import toy_problem

SPACE = toy_problem.expanded(toy_problem.SWITCHES, layers=3)
LARGE = toy_problem.expanded(toy_problem.RANKS, layers=6)
PROBLEM = toy_problem.problem(SPACE, limit=100.0)


def worth(candidates):
    return [score(c) for c in candidates]


def score(candidate):
    """The toy score of a candidate of any of the spaces used here."""
    space = next(s for s in (SPACE, LARGE) if len(s.dimensions) == len(candidate.point))
    return toy_problem.score(space.decode(candidate.point))


def search(problem=PROBLEM, score=worth, seen=frozenset(), seed=0):
    rng = np.random.default_rng(seed)
    return LocalSearch(Candidates(problem), score, seen=seen, rng=rng)


def everything():
    axes = [range(len(d.values)) for d in SPACE.dimensions]
    found = (Candidates(PROBLEM).feasible(p) for p in itertools.product(*axes))
    return [c for c in found if c is not None]


@pytest.fixture(scope="module")
def ranked():
    distinct = {c.identity: score(c) for c in everything()}
    return sorted(distinct.items(), key=lambda pair: pair[1], reverse=True)


def test_it_finds_the_best_of_an_enumerable_space(ranked):
    found = search().best([], 1600)
    assert score(found) == pytest.approx(ranked[0][1])
    assert SPACE.canonical(found.point) == found.point


def test_what_is_seen_is_never_given(ranked):
    seen = frozenset(identity for identity, _ in ranked[:5])
    found = search(seen=seen).best([], 1600)
    assert found.identity not in seen
    assert score(found) == pytest.approx(ranked[5][1])


def test_a_seen_front_is_a_good_start_for_a_short_search(ranked):
    best = next(c for c in everything() if c.identity == ranked[0][0])
    found = search(seen=frozenset({best.identity})).best([best.point], evaluations=80)
    assert score(found) >= ranked[12][1]


def test_when_everything_is_seen_there_is_nothing(ranked):
    assert search(seen=frozenset(dict(ranked))).best([], 1600) is None


def test_when_everything_is_worthless_there_is_nothing():
    assert search(score=lambda found: [-math.inf for _ in found]).best([], 1600) is None


def test_the_number_of_looks_is_bounded_and_structures_are_counted_once():
    looked = []

    def feasible(configuration):
        looked.append(identity_of(configuration)[0])
        return PROBLEM.feasible(configuration)

    whole = dataclasses.replace(PROBLEM, feasible=feasible, layered=None)
    search(whole).best([], evaluations=200)
    # A draw that is over the limit is shrunk up to four times.
    assert len(looked) <= 200 + 4 * 50


def test_the_seed_decides():
    problem = toy_problem.problem(LARGE)
    first, again = (search(problem, seed=3).best([], 200) for _ in range(2))
    assert first == again
