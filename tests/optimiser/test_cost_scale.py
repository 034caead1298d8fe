import math

import pytest

from autopeft.optimiser.cost_scale import cost_scale
from tests import toy_problem


def scaled_problem(**changes):
    return toy_problem.problem(toy_problem.expanded(toy_problem.TINY), **changes)


def test_a_share_in_percent_and_a_count_are_read_alike():
    small = cost_scale(scaled_problem(limits=(0.5,)), [])
    large = cost_scale(scaled_problem(limits=(5e6,)), [])
    assert small((0.05,)) == pytest.approx(large((5e5,)))
    assert small.reference == pytest.approx(large.reference)


def test_small_costs_are_told_apart_in_orders_of_magnitude():
    scale = cost_scale(scaled_problem(limits=(100.0,)), [])
    steps = [scale((c,))[0] for c in (1.0, 10.0, 100.0)]
    assert steps[1] - steps[0] == pytest.approx(steps[2] - steps[1], rel=0.05)
    assert scale((0.0,)) == (0.0,)


def test_a_cost_at_its_limit_still_counts_and_a_larger_one_does_not():
    scale = cost_scale(scaled_problem(limits=(100.0,)), [])
    assert scale((100.0,))[0] < scale.reference[0] < scale((102.0,))[0]


def test_without_a_limit_the_reference_is_beyond_the_largest_seen():
    scale = cost_scale(scaled_problem(limits=(math.inf,)), [(10.0,), (40.0,)])
    assert scale((44.0,))[0] == pytest.approx(scale.reference[0])
    assert math.isfinite(cost_scale(scaled_problem(limits=(math.inf,)), []).reference[0])


def test_a_maximised_cost_is_turned_round():
    ways = ("maximize", "maximize")
    scale = cost_scale(scaled_problem(directions=ways, limits=(math.inf,)), [(10.0,), (40.0,)])
    assert scale((40.0,))[0] < scale((10.0,))[0] < scale.reference[0]


def test_the_modelled_objective_is_left_out_wherever_it_stands():
    ways = ("minimize", "maximize")
    scale = cost_scale(scaled_problem(directions=ways, modelled=1, limits=(100.0,)), [])
    assert scale.directions == ("minimize",)
