"""AdamW over stacked parameters: one learning rate, clip and fate per configuration.

A torch optimiser takes one learning rate per tensor, and here each slice of a tensor has its own:
so all parameters are laid out as one matrix [K, P], whose rows are torch's to update.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

import torch
from torch import nn

MOMENTS = ("exp_avg", "exp_avg_sq")
"""Torch's names for what AdamW keeps of past gradients."""
BETAS = (0.9, 0.999)
"""How much of each it keeps in a step."""


class PackedAdamW:
    """torch.optim.AdamW on each configuration's row of parameters; nothing crosses rows.

    Decoupled weight decay as Loshchilov and Hutter (ICLR 2019).
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
        ends = accumulate(p[0].numel() for p in self.parameters)
        self._starts = dict(zip(self.parameters, [0, *ends], strict=False))
        self._values = torch.cat([p.detach().flatten(1) for p in self.parameters], dim=1)
        self._place(self._values)
        self.gradients = torch.zeros_like(self._values)
        """[K, P], of the last step, clipped."""
        self._moments = {name: torch.zeros_like(self._values) for name in MOMENTS}
        self._rates = learning_rates.clone()
        self._rows = [_row(*pair) for pair in zip(self._values, self.gradients, strict=True)]
        groups = [
            {"params": [row], "lr": rate} for row, rate in zip(self._rows, self._rates, strict=True)
        ]
        self._optimiser = torch.optim.AdamW(
            groups, betas=BETAS, weight_decay=weight_decay, fused=True
        )
        self.resume_at(0)

    def resume_at(self, step: int) -> None:
        """Count from that many steps on; the moments stay as they are."""
        for k, row in enumerate(self._rows):
            moments = {name: matrix[k] for name, matrix in self._moments.items()}
            counted = torch.tensor(float(step), device=row.device)
            self._optimiser.state[row] = {"step": counted, **moments}

    @contextmanager
    def showing(self, moment: str) -> Iterator[None]:
        """The parameters hold that moment in the meantime: reading and writing it is theirs."""
        self._place(self._moments[moment])
        try:
            yield
        finally:
            self._place(self._values)

    def gradient(self, parameter: nn.Parameter) -> torch.Tensor:
        """Of the last step, clipped, in the shape of the parameter."""
        return self._part(self.gradients, parameter)

    def moments(self, parameter: nn.Parameter) -> list[torch.Tensor]:
        """What is kept of its past gradients, in its shape; changes are the optimiser's own."""
        return [self._part(matrix, parameter) for matrix in self._moments.values()]

    @torch.no_grad()
    def forget(self, parameter: nn.Parameter, chosen: torch.Tensor) -> None:
        """Set the moments to 0 where `chosen`, a mask that broadcasts to the parameter."""
        for moment in self.moments(parameter):
            moment.masked_fill_(chosen, 0)

    def _part(self, matrix: torch.Tensor, parameter: nn.Parameter) -> torch.Tensor:
        start = self._starts[parameter]
        part = matrix[:, start : start + parameter[0].numel()]
        return part.view(parameter.shape)

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

    def _place(self, matrix: torch.Tensor) -> None:
        """Make the parameters views of the columns of a matrix [K, P]."""
        parts = matrix.split([p[0].numel() for p in self.parameters], dim=1)
        for parameter, part in zip(self.parameters, parts, strict=True):
            parameter.data = part.view(parameter.shape)


def _row(values: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """A leaf [P] over the memory of one configuration's parameters and gradients."""
    leaf = values.detach().requires_grad_()
    leaf.grad = gradients
    return leaf


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
