import math

import numpy as np
import pytest

from autopeft.optimiser.candidates import Candidates, identity_of
from autopeft.optimiser.initial_design import random_feasible, spread
from tests import toy_problem

RANKS = toy_problem.expanded(toy_problem.RANKS, layers=6)
TINY = toy_problem.expanded(toy_problem.TINY)


def test_a_spread_is_feasible_distinct_and_canonical():
    problem = toy_problem.problem(RANKS)
    points = spread(problem, 24, 0)
    configurations = [RANKS.decode(p) for p in points]
    assert len(points) == 24
    assert len({identity_of(c) for c in configurations}) == 24
    assert all(problem.feasible(c) for c in configurations)
    assert all(RANKS.canonical(p) == p for p in points)


def test_sizes_are_even_in_their_logarithm():
    points = spread(toy_problem.problem(RANKS), 24, 0)
    logs = sorted(math.log(toy_problem.size(RANKS.decode(p))) for p in points)
    # From one rank, 16 parameters, to the limit of 300, in which 18 ranks fit.
    even = np.linspace(math.log(16), math.log(288), 24)
    assert np.abs(np.array(logs) - even).max() < 0.35


def test_uniform_draws_would_not_even_be_feasible():
    problem, rng = toy_problem.problem(RANKS), np.random.default_rng(0)
    drawn = [RANKS.decode(RANKS.random(rng)) for _ in range(50)]
    assert sum(map(problem.feasible, drawn)) < 5


def test_learning_rates_cover_the_range_and_prefer_the_middle():
    rates = [RANKS.values(p)["learning_rate"] for p in spread(toy_problem.problem(RANKS), 40, 0)]
    logs = np.log10(rates)
    assert logs.min() < -3.8
    assert logs.max() > -2.2
    assert np.sum(np.abs(logs + 3) < 0.5) > 22


def test_the_seed_decides():
    problem = toy_problem.problem(RANKS)
    assert spread(problem, 6, 1) == spread(problem, 6, 1)
    assert spread(problem, 6, 1) != spread(problem, 6, 2)


def test_the_design_is_not_repeated():
    first = spread(toy_problem.problem(TINY), 2, 0)
    rest = spread(toy_problem.problem(TINY, design=first), 4, 0)
    assert len({*first, *rest}) == len(first) + len(rest) == 4


def test_a_space_with_fewer_points_gives_all_it_has():
    assert len(set(spread(toy_problem.problem(TINY), 10, 0))) == 4


def test_when_nothing_is_feasible_there_is_nothing():
    for space in (TINY, RANKS):
        problem = toy_problem.problem(space, limit=0.0)
        assert spread(problem, 3, 0) == ()
        assert random_feasible(Candidates(problem), np.random.default_rng(0), set()) is None


def test_random_points_exhaust_a_small_space_exactly():
    problem, seen = toy_problem.problem(TINY), set()
    for number in range(4):
        point = random_feasible(Candidates(problem), np.random.default_rng(number), seen)
        identity = identity_of(TINY.decode(point))
        assert identity not in seen
        seen.add(identity)
    assert random_feasible(Candidates(problem), np.random.default_rng(9), seen) is None


def test_random_sizes_are_spread_over_the_budget():
    problem = toy_problem.problem(RANKS)
    points = [
        random_feasible(Candidates(problem), np.random.default_rng(i), set()) for i in range(40)
    ]
    sizes = [toy_problem.size(RANKS.decode(p)) for p in points]
    assert sum(s < 70 for s in sizes) >= 10
    assert sum(s > 70 for s in sizes) >= 10


@pytest.mark.parametrize("text", [toy_problem.SWITCHES, toy_problem.RANKS])
def test_one_point_is_in_the_middle(text):
    space = toy_problem.expanded(text)
    (point,) = spread(toy_problem.problem(space), 1, 0)
    rates = space.dimensions[space.learning_rate].positions
    assert abs(rates[point[space.learning_rate]] - 0.5) < 0.05
