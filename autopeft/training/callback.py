"""Training-time methods: what happens between the steps of the one training loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from autopeft.training.batches import Split
from autopeft.training.pack import Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Task


@dataclass(frozen=True)
class Run:
    """A training under way, as a callback sees it; the pack is attached to the model."""

    model: nn.Module
    pack: Pack
    optimiser: PackedAdamW
    task: Task
    split: Split
    """Search-train."""
    steps: int
    batch: int
    order: Sequence[list[int]] = ()
    """Rows of search-train in the batch of every step."""

    def complete_gradients(self) -> None:
        """A gradient of zero for what the loss did not depend on, such as a layer skipped by all.

        Beside a configuration that uses it, it has that one too.
        """
        for parameter in self.pack.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    @torch.no_grad()
    def losses(self, step: int) -> torch.Tensor:
        """Mean loss [K] of each configuration on the rows of a step's batch, as they are now."""
        rows = self.order[step]
        logits = self.pack.logits(self.model, self.split.batch(rows), self.split.source(rows))
        return self.task.loss(logits, self.split.labels[rows].to(logits.device))


class Callback:
    """A training-time method; by default it does nothing.

    Everything it reads or changes is stacked: the leading dimension of every parameter is K, and
    what it does to one configuration must not depend on its neighbours.
    """

    def before_step(self, run: Run, step: int) -> None:
        """Before the forward pass of step 0, 1, ...."""

    def after_backward(self, run: Run, step: int) -> None:
        """The gradients are there; the optimiser has not used them yet and may be given others."""

    def after_step(self, run: Run, step: int) -> None:
        """The parameters are updated and the gradients are gone; scoring a rung comes next."""


def methods(pack: Pack) -> list[Callback]:
    """The training-time methods of the module types in a pack; each acts on its own layers.

    What they keep between steps lies in those layers (`PackedModule.remember`).
    """
    return [piece.method() for piece in pack.types.values() if piece.method is not None]
