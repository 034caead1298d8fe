"""AdamW over stacked parameters: one learning rate, clip and fate per configuration.

A torch optimiser takes one learning rate per tensor, and here each slice of a tensor has its own:
so all parameters are laid out as one matrix [K, P], whose rows are torch's to update.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class PackedAdamW:
    """torch.optim.AdamW on each configuration's row of parameters; nothing crosses rows.

    Decoupled weight decay as Loshchilov and Hutter (ICLR 2019), betas 0.9 and 0.999.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        learning_rates: torch.Tensor,
        *,
        weight_decay: float = 0.0,
        clip: float = 1.0,
    ) -> None:
        """Lay the parameters out as rows.

        Args:
            parameters: stacked parameters [K, ...], at least one.
            learning_rates: [K].
            weight_decay: decoupled, the same for all.
            clip: largest gradient norm of one configuration; 0 for none.
        """
        self.learning_rates = learning_rates
        self.clip = clip
        self.alive = torch.ones_like(learning_rates, dtype=torch.bool)
        """[K], False once a gradient of that configuration was not finite."""
        self.parameters = list(parameters)
        values = _laid_out(parameters)
        self.gradients = torch.zeros_like(values)
        """[K, P], of the last step, clipped."""
        self._rates = learning_rates.clone()
        groups = [
            {"params": [_row(*pair)], "lr": rate}
            for *pair, rate in zip(values, self.gradients, self._rates, strict=True)
        ]
        self._optimiser = torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """One update at `factor` times the learning rates; clears the gradients.

        A configuration whose gradient is not finite is frozen from here on. No value is read
        back from the device.
        """
        torch.cat([_gradient(p).flatten(1) for p in self.parameters], dim=1, out=self.gradients)
        norms = torch.linalg.vector_norm(self.gradients, dim=1)
        self.alive &= norms.isfinite()
        if self.clip:
            self.gradients *= (self.clip / (norms + 1e-6)).clamp(max=1.0).unsqueeze(1)
        self.gradients.masked_fill_(~self.alive.unsqueeze(1), 0)
        torch.mul(self.learning_rates, factor * self.alive, out=self._rates)
        self._optimiser.step()
        for parameter in self.parameters:
            parameter.grad = None


@torch.no_grad()
def _laid_out(parameters: Sequence[nn.Parameter]) -> torch.Tensor:
    """Move the parameters into one matrix [K, P], of which each becomes a view."""
    values = torch.cat([p.detach().flatten(1) for p in parameters], dim=1)
    parts = values.split([p[0].numel() for p in parameters], dim=1)
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part.view(parameter.shape)
    return values


def _row(values: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """A leaf [P] over the memory of one configuration's parameters and gradients."""
    leaf = values.detach().requires_grad_()
    leaf.grad = gradients
    return leaf


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
