"""DyLoRA: one run that trains nested ranks, so that any smaller rank can be cut from it.

Valipour et al., DyLoRA: Parameter-Efficient Tuning of Pre-trained Models using Dynamic Search-Free
Low-Rank Adaptation, EACL 2023 (2210.07558). Every step draws one rank b per configuration and
trains the first b directions with scale alpha / b. Ranks are counted from 1 here; the release
counts from 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autopeft import digest
from autopeft.training.callback import Callback, Run
from autopeft.training.lora import PackedLora
from autopeft.training.pack import Pack


class PackedDyLora(PackedLora):
    """A LoRA that is trained at every rank up to its own."""

    name = "dylora"


class Cuts:
    """Cuts the LoRA of a pack to fewer ranks, and restores it; no weight is changed."""

    def __init__(self, pack: Pack, kind: type[PackedLora] = PackedLora) -> None:
        """The layers of a class, which is the only one in the pack unless it is named."""
        self.layers = [layer for layer in pack.layers.values() if isinstance(layer, kind)]
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

    def __init__(self, ranks: Sequence[int] = (), kind: type[PackedLora] = PackedLora) -> None:
        """Draw from these ranks, or uniformly from 1 to the largest of each configuration.

        Cut the layers of that class only.
        """
        self.ranks = tuple(ranks)
        self.kind = kind
        self.drawn: list[int] = []
        """Rank of each configuration in the last step."""
        self._cuts: Cuts | None = None

    def before_step(self, run: Run, step: int) -> None:
        """Cut every configuration to a rank of its own draw, the same at all sites."""
        self._cuts = self._cuts or Cuts(run.pack, self.kind)
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
