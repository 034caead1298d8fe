"""SPT's choice of single weights, from the gradients of the first steps of the training itself.

He et al., Sensitivity-Aware Visual Parameter-Efficient Fine-Tuning, ICCV 2023 (2303.08566), tune
the weights whose squared batch-mean gradients sum to most, and find them in 16 batches before the
training. "SPT-style", as here they are summed over the first steps of the training, S held at 0,
while the head and other modules are trained already; and as each site takes its own largest, whose
number the placement says. Values that come late are trained as `latecomers` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from autopeft.callbacks.latecomers import Latecomers
from autopeft.training.callback import Callback, Run
from autopeft.training.sparse import PackedSparse


@dataclass(frozen=True)
class _Values:
    """The values of one site, which are trained from that step on."""

    layer: PackedSparse
    step: int

    def births(self) -> Mapping[nn.Parameter, torch.Tensor]:
        values = self.layer.values
        born = torch.full((len(values), 1), self.step, device=values.device)
        return {values: born}


@dataclass
class Choice(Callback):
    """Chooses the places of every configuration of a pack that trains single weights."""

    steps: int = 5
    """That gradients are summed over, at least."""
    share: float = 0.05
    """Of all steps, at least; but never more than half of them."""
    latecomers: Latecomers = field(default_factory=Latecomers)

    def first(self, run: Run) -> int:
        """The step from which values are trained."""
        return max(1, min(max(self.steps, round(self.share * run.steps)), run.steps // 2))

    def after_backward(self, run: Run, step: int) -> None:
        """No value moves before places are chosen."""
        self.latecomers.hold(self._values(run), step)

    def after_step(self, run: Run, step: int) -> None:
        """Choose when it is due."""
        self.latecomers.let_in(run, self._values(run), step)
        if step + 1 == self.first(run):
            for layer in layers_of(run):
                layer.choose()

    def _values(self, run: Run) -> list[_Values]:
        return [_Values(layer, self.first(run)) for layer in layers_of(run)]


def layers_of(run: Run) -> list[PackedSparse]:
    """The layers of a pack that train single weights."""
    return [layer for layer in run.pack.layers.values() if isinstance(layer, PackedSparse)]
