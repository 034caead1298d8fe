"""Training-time methods: what happens between the steps of the one training loop."""

from __future__ import annotations

from dataclasses import dataclass

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
