"""The contract of `sparse`, and its arithmetic against a dense weight."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from autopeft.training.sparse import PackedSparse, count, dense, largest
from autopeft.types import Site
from tests.modules.contract import TinyModule

SITE = Site(0, "mlp.up", "linear", "linear", 3, 2)


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestSparse(TinyModule):
    name = "sparse"


def stacked(*sizes: int | None) -> PackedSparse:
    settings = [None if size is None else {"entries": size} for size in sizes]
    return PackedSparse(SITE, settings, list(range(len(sizes)))).double()


def test_it_computes_and_learns_as_the_changed_weight_does() -> None:
    layer, linear = stacked(2, None, 4), nn.Linear(3, 2).double().requires_grad_(False)
    places = [[5, 1], [], [0, 2, 3, 4]]
    generator = torch.Generator().manual_seed(0)
    for k, chosen in enumerate(places):
        layer.places[k, : len(chosen)] = torch.tensor(chosen)
        drawn = torch.randn(len(chosen), generator=generator, dtype=torch.float64)
        layer.values.data[k, : len(chosen)] = drawn
    rows = torch.randn(3 * 5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    (hook,) = layer.attach(nn.ModuleDict({"linear": linear}), SITE)
    found = linear(rows)
    given = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    found.backward(given)
    mine: Any = rows.grad
    whole: Any = layer.values.grad
    hook.remove()
    for k, chosen in enumerate(places):
        own = rows.detach()[5 * k : 5 * k + 5].requires_grad_()
        weight = linear.weight.clone()
        for place, value in zip(chosen, layer.values[k].tolist(), strict=False):
            weight[place // 3, place % 3] += value
        weight = weight.detach().requires_grad_()
        expected = nn.functional.linear(own, weight, linear.bias)
        expected.backward(given[5 * k : 5 * k + 5])
        torch.testing.assert_close(found[5 * k : 5 * k + 5], expected)
        torch.testing.assert_close(mine[5 * k : 5 * k + 5], own.grad)
        assert weight.grad is not None
        there = weight.grad.flatten()[torch.tensor(chosen, dtype=torch.long)]
        torch.testing.assert_close(whole[k, : len(chosen)], there)
        assert not whole[k, len(chosen) :].any(), "padding has no gradient"


def test_more_entries_than_weights_stay_zero_and_are_not_published() -> None:
    layer = stacked(9)
    assert layer.places[0].tolist() == [0, 1, 2, 3, 4, 5, -1, -1, -1]
    counted = count(SITE, {"entries": 9})
    assert (counted.parameters, counted.published) == (9, 6)
    layer.values.data += 1
    layer.values.data[layer.places < 0] = 0
    assert dense(layer.values, layer.places, (2, 3), torch.float32).tolist() == [[[1.0] * 3] * 2]


def test_the_largest_are_chosen_and_ties_go_to_the_first() -> None:
    sums = torch.tensor([2.0, 1.0, 3.0, 1.0, 1.0, 0.0])
    assert [largest(sums.clone(), n).tolist() for n in (0, 1, 4, 9)] == [
        [],
        [2],
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4, 5],
    ]
    assert largest(torch.tensor([0.0, float("nan"), 0.0, 1.0]), 2).tolist() == [0, 3]
    assert largest(torch.zeros(4), 2).tolist() == [0, 1]


def test_places_go_with_their_values() -> None:
    layer, other = stacked(2, 4), stacked(4)
    layer.sums[:] = torch.tensor([[0.0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]])
    assert layer.memory(1)["sums"].tolist() == [5, 4, 3, 2, 1, 0]
    layer.choose()
    assert layer.memory(1) == {}
    assert layer.places.tolist() == [[4, 5, -1, -1], [0, 1, 2, 3]]
    layer.values.data[1] = 7
    other.restore(0, layer.export(1))
    other.recall(0, layer.memory(1))
    assert other.places.tolist() == [[0, 1, 2, 3]]
    assert other.values.tolist() == [[7, 7, 7, 7]]
    assert other.sums.numel() == 0
