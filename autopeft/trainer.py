"""Training-time methods in a `transformers.Trainer`: what the search does around each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autopeft.loading import pack_of

if TYPE_CHECKING:
    import torch
    from transformers import TrainerCallback


def methods(
    model: torch.nn.Module, optimiser: torch.optim.Optimizer, *, steps: int, clip: float
) -> TrainerCallback:
    """A callback that runs the methods of the model's adapter, to be given to the trainer.

    It clips the gradients itself, after the methods have seen them, as the search does: set the
    trainer's own `max_grad_norm` to 0.

    Args:
        model: as `attach` or `load` gave it.
        optimiser: AdamW on its trained parameters.
        steps: of the whole training.
        clip: largest norm of the gradients; 0 for none.

    Raises:
        UsageError: the model has no adapter of AutoPEFT.
    """
    import torch
    from transformers import TrainerCallback

    from autopeft.training import callback
    from autopeft.training.borrowed_adamw import BorrowedAdamW

    class BorrowedRun(callback.Run):
        """A training under way in somebody else's loop: its rows, and the model's own loss."""

        def __init__(self) -> None:
            nothing: Any = None
            given = model, pack_of(model), BorrowedAdamW(optimiser), nothing, nothing, steps, 0
            super().__init__(*given)
            self.batches: dict[str, Any] = {}

        @torch.no_grad()
        def losses(self, step: int) -> torch.Tensor:
            """Mean loss [1] on as many rows of the data set as a batch has, a batch per step.

            With `train_sampling_strategy="sequential"` these are the rows of the step.
            """
            return _loss(model, _batch(step=step, **self.batches)).reshape(1)

    run = BorrowedRun()
    acting = callback.methods(run.pack)

    class Methods(TrainerCallback):
        """Runs them at the events of the trainer."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            """Before the forward pass."""
            run.batches = {"rows": args.train_batch_size, "loader": rest["train_dataloader"]}
            for one in acting:
                one.before_step(run, state.global_step)

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            """The gradients are there."""
            from torch.nn.utils import clip_grad_norm_

            run.complete_gradients()
            for one in acting:
                one.after_backward(run, state.global_step)
            if clip:
                clip_grad_norm_(model.parameters(), clip)

        def on_optimizer_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            """The weights are updated, and the gradients are still there."""
            for one in acting:
                one.after_step(run, state.global_step)

    return Methods()


def _batch(*, step: int, rows: int, loader: Any) -> dict[str, torch.Tensor]:
    """The rows of a step as its loader would put them together, were they not shuffled."""
    data = loader.dataset
    batch: dict[str, torch.Tensor] = loader.collate_fn(
        [data[i % len(data)] for i in range(step * rows, (step + 1) * rows)]
    )
    return batch


def _loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The model's own loss, as when it is scored."""
    training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        loss: torch.Tensor = model(**{name: value.to(device) for name, value in batch.items()}).loss
    finally:
        model.train(training)
    return loss
