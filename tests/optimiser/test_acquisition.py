import math

import pytest
import torch

from autopeft import pareto
from autopeft.optimiser import acquisition
from autopeft.optimiser.acquisition import cells, log_h, log_improvement


def improvement(mean, deviation, costs, front):
    row = torch.tensor([costs], dtype=torch.float64)
    found = log_improvement(tensor([mean]), tensor([deviation]), row, front)
    return math.exp(float(found[0]))


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


# Unit normal loss function, from printed tables.
@pytest.mark.parametrize(
    ("z", "value"),
    [(0.0, 0.39894), (-1.0, 0.08332), (-2.0, 0.008491), (-3.0, 3.822e-4), (-4.0, 7.145e-6)],
)
def test_log_h_is_the_tabulated_normal_loss(z, value):
    assert math.exp(float(log_h(tensor([z]))[0])) == pytest.approx(value, rel=2e-4)


def test_log_h_is_finite_increasing_and_continuous_far_below():
    z = torch.cat([-torch.logspace(6, -3, 3000, dtype=torch.float64), tensor([0.0, 1.0, 40.0])])
    found = log_h(z)
    assert bool(found.isfinite().all())
    assert bool((found.diff() > 0).all())
    around = log_h(tensor([-1000.0 - 1e-7, -1000.0 + 1e-7]))
    assert float(around.diff()[0] / 2e-7) == pytest.approx(1000.0, rel=1e-2)


def test_above_the_mean_log_h_is_linear():
    assert math.exp(float(log_h(tensor([30.0]))[0])) == pytest.approx(30.0)


def test_without_a_front_the_whole_box_counts():
    front = cells([], [], reference=[5.0], floor=0.0)
    assert improvement(1.0, 1e-9, [2.0], front) == pytest.approx(3.0)


def test_one_cost_adds_up_the_steps_to_the_right_of_the_candidate():
    front = cells([[1.0], [3.0]], [0.5, 0.75], reference=[5.0], floor=0.0)
    # From 0 to 1 against 0, from 1 to 3 against 0.5, from 3 to 5 against 0.75.
    expected = 1 * 1.0 + 2 * 0.5 + 2 * 0.25
    assert improvement(1.0, 1e-9, [0.0], front) == pytest.approx(expected)


def test_two_costs_add_up_the_cells_that_the_candidate_dominates():
    front = cells([[1.0, 1.0]], [0.5], reference=[4.0, 4.0], floor=0.0)
    # 2 x 4 in all, of which 2 x 3 is already at 0.5.
    assert improvement(1.0, 1e-9, [2.0, 0.0], front) == pytest.approx(6 * 0.5 + 2 * 1.0)


def test_no_cost_is_plain_expected_improvement():
    front = cells([[], [], []], [0.2, 0.7, 0.3], reference=[], floor=0.0)
    assert improvement(0.7, 1.0, [], front) == pytest.approx(1 / math.sqrt(2 * math.pi))
    assert improvement(1.7, 1e-9, [], front) == pytest.approx(1.0)


@pytest.mark.parametrize("costs", [1, 2])
def test_agrees_with_monte_carlo(costs):
    generator = torch.Generator().manual_seed(costs)
    points = torch.rand(6, costs, generator=generator, dtype=torch.float64).tolist()
    heights = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
    reference, floor = [0.9, 0.8][:costs], 0.1
    candidate, mean, deviation = [0.3, 0.25][:costs], 0.6, 0.25
    front = cells(points, heights, reference=reference, floor=floor)
    ways = ["maximize", *["minimize"] * costs]
    rows = [(h, *p) for h, p in zip(heights, points, strict=True)]
    before = pareto.hypervolume(rows, [floor, *reference], ways)
    draws = mean + deviation * torch.randn(1500, generator=generator, dtype=torch.float64)
    gains = tensor(
        [
            pareto.hypervolume([*rows, (d, *candidate)], [floor, *reference], ways) - before
            for d in draws.tolist()
        ]
    )
    error = float(gains.std()) / math.sqrt(len(gains))
    found = improvement(mean, deviation, candidate, front)
    assert abs(found - float(gains.mean())) < 4 * error


def test_a_candidate_beyond_the_reference_is_worth_nothing():
    front = cells([[1.0]], [0.5], reference=[5.0], floor=0.0)
    costs = tensor([[6.0], [5.0]])
    found = log_improvement(tensor([0.9, 0.9]), tensor([0.1, 0.1]), costs, front)
    assert found.tolist() == [-math.inf, -math.inf]


def test_hopeless_candidates_are_still_ordered():
    front = cells([[0.0]], [1.0], reference=[5.0], floor=0.0)
    means = tensor([0.0, -1.0, -50.0])
    found = log_improvement(means, tensor([0.01] * 3), tensor([[1.0]] * 3), front)
    assert bool(found.isfinite().all())
    assert bool((found.diff() < 0).all())


def test_ties_dominated_and_worthless_points_change_nothing():
    plain = cells([[1.0, 2.0]], [0.5], reference=[4.0, 4.0], floor=0.1)
    points = [[1.0, 2.0], [1.0, 2.0], [2.0, 3.0], [0.0, 0.0], [9.0, 0.0]]
    crowded = cells(points, [0.5, 0.5, 0.4, 0.1, 0.9], reference=[4.0, 4.0], floor=0.1)
    for candidate in ([0.5, 0.5], [1.5, 0.0], [3.0, 3.9]):
        assert improvement(0.6, 0.2, candidate, plain) == pytest.approx(
            improvement(0.6, 0.2, candidate, crowded)
        )


def test_chunks_do_not_change_the_answer(monkeypatch):
    front = cells([[1.0], [2.0]], [0.5, 0.6], reference=[5.0], floor=0.0)
    mean, deviation = torch.linspace(0, 1, 7).double(), torch.full((7,), 0.1).double()
    costs = torch.linspace(0, 4, 7).double()[:, None]
    whole = log_improvement(mean, deviation, costs, front)
    monkeypatch.setattr(acquisition, "CHUNK", 1)
    assert torch.equal(whole, log_improvement(mean, deviation, costs, front))
