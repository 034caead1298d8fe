"""Gates on sites, relaxed to (0, 1) and learned beside the weights at a parameter budget.

"DiffoRA-style": DiffoRA (Jiang et al., 2502.08905) relaxes the choice of modules; its code is not
public. The relaxation here is S3Delta's (Hu et al., NeurIPS 2022, 2206.07382): independent
sigmoids `p_i = sigmoid((a_i - b) / temperature)` whose shift b is solved so that the expected
parameters are the budget. First-order bilevel: weights on one half of the data, gates on the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from autopeft import digest
from autopeft.rank_budget import price
from autopeft.training.batches import Split
from autopeft.training.callback import Callback, Run

BISECTIONS = 60


def shifted(
    logits: torch.Tensor, sizes: torch.Tensor, budgets: torch.Tensor, temperature: float = 1.0
) -> torch.Tensor:
    """Gates p [K, sites] with `sum_i p_i sizes_i = budgets` [K], differentiable in the logits."""
    spread = 40 * temperature
    low = (logits.detach().min(1).values - spread).unsqueeze(1)
    high = (logits.detach().max(1).values + spread).unsqueeze(1)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        cost = (((logits.detach() - middle) / temperature).sigmoid() * sizes).sum(1, keepdim=True)
        above = cost > budgets.unsqueeze(1)
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    open_gates = ((logits - (low + high) / 2) / temperature).sigmoid()
    # Renormalised by a detached sum, as S3Delta does against what bisection leaves.
    factor = budgets.unsqueeze(1) / (open_gates.detach() * sizes).sum(1, keepdim=True)
    return open_gates * factor


class Gates(Callback):
    """Learns one gate per site for every configuration of a pack of LoRA."""

    def __init__(
        self, held_out: Split, shares: Sequence[float], *, rate: float = 0.1, warmup: float = 0.25
    ) -> None:
        """Prepare.

        Args:
            held_out: what the gates are learned on; the weights must not see it.
            shares: of its own parameters, the budget of each configuration.
            rate: learning rate of the gates' Adam.
            warmup: share of the steps before gates move: with B = 0 they have no gradient.
        """
        self.held_out = held_out
        self.shares = torch.tensor(shares, dtype=torch.float64)
        self.rate = rate
        self.warmup = warmup
        self.logits = torch.empty(0)
        self.sites: list[str] = []
        self._scales: list[torch.Tensor] = []
        self._optimiser: Any = None

    @property
    def gates(self) -> torch.Tensor:
        """p of every configuration and site, [K, sites]."""
        return shifted(self.logits.detach(), self.sizes, self.shares * self.sizes.sum(1))

    def before_step(self, run: Run, step: int) -> None:
        """Weigh every site by its gate, without a gradient to it."""
        if not self.sites:
            self._open(run)
        self._weigh(run, self.gates)

    def after_step(self, run: Run, step: int) -> None:
        """One step of the gates on held-out rows; the weights stay."""
        if step < self.warmup * run.steps:
            return
        generator = torch.Generator().manual_seed(digest.seed_of("gates", step))
        rows = torch.randperm(len(self.held_out), generator=generator)[: run.batch].tolist()
        self._weigh(run, shifted(self.logits, self.sizes, self.shares * self.sizes.sum(1)))
        logits = run.pack.logits(run.model, self.held_out.batch(rows))
        loss = run.task.loss(logits, self.held_out.labels[rows].to(logits.device))
        (gradient,) = torch.autograd.grad(loss.sum(), self.logits)
        self.logits.grad = torch.nan_to_num(gradient)
        self._optimiser.step()
        self._weigh(run, self.gates)

    def _open(self, run: Run) -> None:
        layers: list[Any] = list(run.pack.layers.values())
        self.sites = [site.name for site in run.pack.sites.values()]
        prices = torch.tensor([float(price(site)) for site in run.pack.sites.values()])
        ranks = torch.tensor([layer.sizes for layer in layers], dtype=torch.float64)
        self.sizes = ranks.T * prices
        self._scales = [layer.factor for layer in layers]
        self.logits = torch.zeros(self.sizes.shape, dtype=torch.float64, requires_grad=True)
        self._optimiser = torch.optim.Adam(
            [self.logits], lr=self.rate, betas=(0.5, 0.999), weight_decay=1e-4
        )

    def _weigh(self, run: Run, gates: torch.Tensor) -> None:
        layers: list[Any] = list(run.pack.layers.values())
        for index, (layer, scale) in enumerate(zip(layers, self._scales, strict=True)):
            layer.factor = scale * gates[:, index].to(scale).view(-1, 1, 1)
