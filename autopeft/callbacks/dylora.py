"""DyLoRA: one run that trains nested ranks, so that any smaller rank can be cut from it.

Valipour et al., DyLoRA: Parameter-Efficient Tuning of Pre-trained Models using Dynamic Search-Free
Low-Rank Adaptation, EACL 2023 (2210.07558). Every step draws one rank b per configuration and
trains the first b directions with scale alpha / b. Ranks are counted from 1 here; the release
counts from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from autopeft import digest
from autopeft.training.callback import Callback, Run
from autopeft.training.pack import Pack


class Cuts:
    """Cuts the LoRA of a pack to fewer ranks, and restores it; no weight is changed."""

    def __init__(self, pack: Pack) -> None:
        self.layers: list[Any] = list(pack.layers.values())
        self.sites = [site.name for site in pack.sites.values()]
        self._full = [layer.factor for layer in self.layers]

    def to(self, ranks: torch.Tensor) -> None:
        """Let configuration k use the first `ranks[k, i]` directions of layer i, scaled alpha / b.

        Alpha is what the configuration has at its own rank: its scaling times that rank.
        """
        for index, (layer, full) in enumerate(zip(self.layers, self._full, strict=True)):
            mine = torch.minimum(ranks[:, index], torch.tensor(layer.sizes))
            sizes = torch.tensor(layer.sizes, dtype=full.dtype)
            scale = sizes / mine.clamp(min=1).to(full.dtype)
            used = torch.arange(max(1, *layer.sizes)).unsqueeze(0) < mine.unsqueeze(1)
            cut = (scale.unsqueeze(1) * used).unsqueeze(1).to(full)
            layer.factor = full * cut

    def full(self) -> None:
        """Use every direction again."""
        for layer, full in zip(self.layers, self._full, strict=True):
            layer.factor = full


class DyLora(Callback):
    """Nested-rank training of a pack of LoRA; scoring between steps sees the full ranks."""

    def __init__(self, ranks: Sequence[int] = ()) -> None:
        """Draw from these ranks, or uniformly from 1 to the largest of each configuration."""
        self.ranks = tuple(ranks)
        self.drawn: list[int] = []
        """Rank of each configuration in the last step."""
        self._cuts: Cuts | None = None

    def before_step(self, run: Run, step: int) -> None:
        """Cut every configuration to a rank of its own draw, the same at all sites."""
        self._cuts = self._cuts or Cuts(run.pack)
        largest = [max(layer.sizes[k] for layer in self._cuts.layers) for k in _each(run)]
        self.drawn = [self._draw(run.pack.jobs[k].seed, step, largest[k]) for k in _each(run)]
        self._cuts.to(torch.tensor(self.drawn).unsqueeze(1).expand(-1, len(self._cuts.layers)))

    def after_step(self, run: Run, step: int) -> None:
        """Back to the full ranks."""
        assert self._cuts is not None
        self._cuts.full()

    def _draw(self, seed: int, step: int, largest: int) -> int:
        choices = [r for r in self.ranks if r <= largest] or list(range(1, max(1, largest) + 1))
        return choices[digest.seed_of(seed, "dylora", step) % len(choices)]


def _each(run: Run) -> range:
    return range(run.pack.count)
