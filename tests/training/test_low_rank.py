"""A product added in place has the values and gradients of the plain sum."""

from __future__ import annotations

import torch

from autopeft.training.low_rank import add_product


def test_values_and_gradients_are_those_of_the_sum() -> None:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return drawn.requires_grad_()

    hidden, linear = draw(6, 4, 5), draw(7, 5)
    low, weight = draw(3, 8, 2), draw(3, 7, 2)
    inputs = (hidden, low, weight)

    def plain(hidden: torch.Tensor, low: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        product = torch.einsum("kbr,kor->kbo", low, weight)
        return torch.nn.functional.linear(hidden, linear) + product.reshape(6, 4, 7)

    def in_place(hidden: torch.Tensor, low: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return add_product(torch.nn.functional.linear(hidden, linear), low, weight)

    torch.testing.assert_close(in_place(*inputs), plain(*inputs))
    assert torch.autograd.gradcheck(in_place, inputs)


def test_an_output_without_gradient_gets_one() -> None:
    output = torch.zeros(2, 3, 4)
    weight = torch.ones(2, 4, 1, requires_grad=True)
    added = add_product(output, torch.ones(2, 3, 1), weight)
    added.sum().backward()
    assert added.requires_grad
    assert weight.grad is not None
    assert weight.grad.eq(3).all()
