"""Light-PEFT's pruning of the frozen backbone: masks are learned, then cut at a quantile.

Gu et al., Light-PEFT: Lightening Parameter-Efficient Fine-Tuning via Early Pruning, Findings of ACL
2024 (2406.03792). In the first part of the training masks learn beside the modules, with an L1
penalty that is added to their gradient and not to the reported loss. Then the smallest are cut,
heads in every layer by itself and neurons in all layers together; masks are 0 or 1 from there on.

Where this differs from the release: the number that is cut never exceeds the share, ties going to
the first (there all that tie with the quantile are cut), a site keeps at least one part, and the
parts that are cut leave the model after the training, not in its midst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from autopeft.training.callback import Callback, Run
from autopeft.training.masks import PackedMasks, count, number, spared
from autopeft.types import LearningRates, PeftModule, SiteKind


class PackedHeads(PackedMasks):
    """Masks on the key/value heads of an attention."""


class PackedNeurons(PackedMasks):
    """Masks on the neurons of a feed-forward sublayer."""


@dataclass
class Pruning(Callback):
    """Learns and cuts the masks of one kind in every configuration of a pack."""

    kind: type[PackedMasks]
    together: bool = False
    """Whether the quantile is that of all sites together; otherwise each site has its own."""
    learn: float = 0.25
    """Share of the steps in which masks learn."""
    penalty: float = 1e-4
    _before: dict[PackedMasks, torch.Tensor] = field(default_factory=dict)

    def due(self, run: Run) -> int:
        """Steps in which masks learn."""
        return max(1, round(self.learn * run.steps))

    @torch.no_grad()
    def after_backward(self, run: Run, step: int) -> None:
        """The penalty's gradient while masks learn; none at all once they are cut."""
        self._before.clear()
        for layer in self._layers(run):
            assert layer.masks.grad is not None
            if step < self.due(run):
                layer.masks.grad += self.penalty * layer.masks.sign() * layer.used
            else:
                layer.masks.grad.zero_()
                self._before[layer] = layer.masks.detach().clone()

    @torch.no_grad()
    def after_step(self, run: Run, step: int) -> None:
        """Cut when it is due, and keep what was cut as it is."""
        for layer, masks in self._before.items():
            layer.masks.copy_(masks)
        if step + 1 == self.due(run):
            for k in range(run.pack.count):
                layers = [layer for layer in self._layers(run) if layer.sizes[k]]
                for group in [layers] if self.together else [[layer] for layer in layers]:
                    cut(group, k)

    def _layers(self, run: Run) -> list[PackedMasks]:
        return [layer for layer in run.pack.layers.values() if isinstance(layer, self.kind)]


def cut(layers: Sequence[PackedMasks], k: int) -> None:
    """Set the smallest masks of one configuration to 0, by their share in all, and others to 1."""
    share = sum(layer.parts * layer.sizes[k] / 100 for layer in layers)
    gone = smallest([layer.masks[k] for layer in layers], number(share))
    for layer, mine in zip(layers, gone, strict=True):
        layer.masks[k] = (~mine).to(layer.masks.dtype)


def smallest(masks: Sequence[torch.Tensor], count: int) -> list[torch.Tensor]:
    """Which masks [parts] of each site are among the `count` smallest of all in absolute value.

    Ties go to the first. The last one of a site never is.
    """
    if not masks:
        return []
    sizes = [mask.abs().nan_to_num() for mask in masks]
    for size in sizes:
        size[size.argsort(stable=True)[-1]] = torch.inf
    every = torch.cat(sizes)
    chosen = every.argsort(stable=True)[: min(count, len(every) - len(sizes))]
    found = torch.zeros_like(every, dtype=torch.bool)
    found[chosen] = True
    return list(found.split([len(size) for size in sizes]))


def module(
    label: str, kind: SiteKind, stack: type[PackedMasks], *, together: bool = False
) -> PeftModule:
    """The module type of masks of one kind; `together` as in `Pruning`."""
    return PeftModule(
        label=label,
        paper="arXiv 2406.03792",
        kind=kind,
        size="cut",
        defaults={},
        count=count,
        stack=stack,
        mergeable=False,
        learning_rates=LearningRates(
            low=2e-4,
            high=6e-3,
            source="3e-4 on RoBERTa-large in Light-PEFT (2406.03792); a proxy of 100 steps needs "
            "more",
        ),
        spares=spared,
        method=partial(Pruning, stack, together=together),
    )
