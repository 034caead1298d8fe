"""AdamW over stacked parameters: one learning rate, clip and fate per configuration.

Decoupled weight decay as torch.optim.AdamW (Loshchilov and Hutter, ICLR 2019); a torch optimiser
takes one learning rate per tensor, and here each slice of a tensor has its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class PackedAdamW:
    """AdamW with everything per slice of the leading dimension K; nothing crosses slices."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        learning_rates: torch.Tensor,
        *,
        weight_decay: float = 0.0,
        clip: float = 1.0,
    ) -> None:
        """Prepare the state.

        Args:
            parameters: stacked parameters [K, ...].
            learning_rates: [K].
            weight_decay: decoupled, the same for all.
            clip: largest gradient norm of one configuration; 0 for none.
        """
        self.parameters = list(parameters)
        self.learning_rates = learning_rates
        self.weight_decay = weight_decay
        self.clip = clip
        self.alive = torch.ones_like(learning_rates, dtype=torch.bool)
        """[K], False once a gradient of that configuration was not finite."""
        self.steps = 0
        self._mean = [torch.zeros_like(p) for p in self.parameters]
        self._square = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """One update at `factor` times the learning rates; clears the gradients.

        A configuration whose gradient is not finite is frozen from here on. No value is read
        back from the device.
        """
        self.steps += 1
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        shares = self._shares(gradients)
        rates = factor * self.learning_rates * self.alive
        bias_1, bias_2 = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for parameter, gradient, mean, square in zip(
            self.parameters, gradients, self._mean, self._square, strict=True
        ):
            share, rate, alive = (_like(v, parameter) for v in (shares, rates, self.alive))
            clipped = torch.where(alive, gradient * share, 0)
            mean.lerp_(clipped, 0.1)
            square.mul_(0.999).addcmul_(clipped, clipped, value=0.001)
            parameter.mul_(1 - rate * self.weight_decay)
            parameter.sub_(rate / bias_1 * mean / ((square / bias_2).sqrt_().add_(1e-8)))
            parameter.grad = None

    def _shares(self, gradients: Sequence[torch.Tensor]) -> torch.Tensor:
        """Clipping factor of each configuration [K]; marks those that are no longer finite."""
        squares = [g.flatten(1).square().sum(1, dtype=self.learning_rates.dtype) for g in gradients]
        norms = torch.stack(squares).sum(0).sqrt()
        self.alive &= norms.isfinite()
        if not self.clip:
            return torch.ones_like(norms)
        return (self.clip / (norms + 1e-6)).clamp(max=1.0)


def _like(values: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """[K] as [K, 1, ...], to multiply a stacked parameter."""
    return values.view(-1, *([1] * (parameter.dim() - 1)))
