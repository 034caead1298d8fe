"""A training under way in somebody else's loop, as training-time methods see it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autopeft.training.borrowed_adamw import BorrowedAdamW
from autopeft.training.callback import Run
from autopeft.training.pack import Pack


class BorrowedRun(Run):
    """Its rows are those of a `transformers.Trainer`, and its loss is the model's own."""

    def __init__(
        self, model: nn.Module, pack: Pack, optimiser: torch.optim.Optimizer, steps: int
    ) -> None:
        """A pack of one on a model that another loop trains."""
        nothing: Any = None
        super().__init__(model, pack, BorrowedAdamW(optimiser), nothing, nothing, steps, 0)
        self.batches: dict[str, Any] = {}
        """`rows` of a batch, and the `loader` of the trainer."""

    @torch.no_grad()
    def losses(self, step: int) -> torch.Tensor:
        """Mean loss [1] on as many rows of the data set as a batch has, a batch per step.

        With `train_sampling_strategy="sequential"` these are the rows of the step.
        """
        return _loss(self.model, _batch(step=step, **self.batches)).reshape(1)


def _batch(*, step: int, rows: int, loader: Any) -> dict[str, torch.Tensor]:
    """The rows of a step as its loader would put them together, were they not shuffled."""
    data = loader.dataset
    batch: dict[str, torch.Tensor] = loader.collate_fn(
        [data[i % len(data)] for i in range(step * rows, (step + 1) * rows)]
    )
    return batch


def _loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The model's own loss, as when it is scored."""
    training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        loss: torch.Tensor = model(**{name: value.to(device) for name, value in batch.items()}).loss
    finally:
        model.train(training)
    return loss
