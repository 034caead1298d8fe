"""Training-time methods in a `transformers.Trainer`: what the search does around each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autopeft.adapters.loading import pack_of

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
    from transformers import TrainerCallback

    from autopeft.training import callback
    from autopeft.training.borrowed_run import BorrowedRun

    run = BorrowedRun(model, pack_of(model), optimiser, steps)
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
