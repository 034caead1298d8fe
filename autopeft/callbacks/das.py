"""DAS: a share of the layers is skipped, found by a bandit in the first part of the training.

Wu et al., Parameter and Computation Efficient Transfer Learning for Vision-Language Pre-trained
Models, NeurIPS 2023 (2309.01479). In the first part every step skips a set of layers drawn by
p = sigmoid(u), whose stand-ins it trains; the number of them rises to the share of all. Every few
steps a few such sets are tried on the rows of the step, and u moves as in `bandit`. Then the layers
of the highest u are skipped for good, ties going to the lower one, and nothing else is shipped.

Where this differs from the release: rewards are standardised within a round, with a larger step, as
short runs need; the adapters are found and trained in one run; modules in other layers train along.
A rung within the first part scores the layers that would be skipped if it ended there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from autopeft.callbacks import bandit
from autopeft.training.callback import Callback, Run
from autopeft.training.stand_in import PackedStandIn
from autopeft.training.triplets import total_rank
from autopeft.types import Settings, Site


class PackedDas(PackedStandIn):
    """K stand-ins for one layer, of which those act whose configuration skips it now."""

    score: torch.Tensor
    """u [K]."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__("das", site, settings, seeds)
        self.share = tuple(float(s["share"]) if s is not None else 0.0 for s in settings)
        self.remember("score", [torch.zeros(())] * self.count)
        self._skips = [False] * self.count

    def skipping(self) -> list[bool]:
        """Which configurations skip the layer at present."""
        return self._skips

    def skip(self, chosen: Sequence[bool]) -> None:
        """Let those configurations skip the layer from now on."""
        self._skips = list(chosen)

    def export(self, index: int) -> dict[str, torch.Tensor]:
        """The weights, and whether the layer is skipped."""
        return {**super().export(index), "skipped": torch.tensor(self._skips[index])}

    def restore(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `export`."""
        super().restore(index, tensors)
        self._skips[index] = bool(tensors["skipped"])


@dataclass
class Das(Callback):
    """The choice of skipped layers in every configuration of a pack that has such modules."""

    first: float = 0.5
    """Share of the steps after which the choice is final."""
    ramp: float = 0.5
    """Share of these in which the number of skipped layers rises."""
    interval: int = 2
    """Steps between two rounds."""
    candidates: int = 5
    step_size: float = 0.5
    standardised: bool = True

    def end(self, run: Run) -> int:
        """The step from which the choice is final."""
        return max(1, round(self.first * run.steps))

    def before_step(self, run: Run, step: int) -> None:
        """Learn from a round now and then; draw what the step skips."""
        layers, end = layers_of(run), self.end(run)
        if step >= end:
            return
        reached = min(1.0, step / max(1, round(self.ramp * end)))
        counts = [int(reached * count) for count in totals(layers)]
        if step and step % self.interval == 0:
            self._round(run, layers, [max(c, min(1, t)) for c, t in _pairs(counts, layers)], step)
        seeds = [job.seed for job in run.pack.jobs]
        _skip(layers, bandit.drawn(_chances(layers), counts, seeds, "das", step))

    def after_step(self, run: Run, step: int) -> None:
        """Skip what would be skipped if the choice were final now."""
        if step < self.end(run):
            layers = layers_of(run)
            _skip(layers, best(layers))

    def _round(self, run: Run, layers: Sequence[PackedDas], counts: list[int], step: int) -> None:
        seeds, chances = [job.seed for job in run.pack.jobs], _chances(layers)
        sets, losses = [], []
        for number in range(self.candidates):
            sets.append(bandit.drawn(chances, counts, seeds, "das", step, number))
            _skip(layers, sets[-1])
            losses.append(run.losses(step).cpu())
        scores = bandit.moved(
            scores_of(layers),
            torch.stack(sets),
            torch.stack(losses),
            step=self.step_size,
            standardised=self.standardised,
        )
        for layer, column in zip(layers, scores.T, strict=True):
            layer.score.copy_(column)


def layers_of(run: Run) -> list[PackedDas]:
    """The stand-ins of a pack that are DAS's, lowest first."""
    return [layer for layer in run.pack.layers.values() if isinstance(layer, PackedDas)]


def totals(layers: Sequence[PackedDas]) -> list[int]:
    """How many layers each configuration skips in the end: the sum of its shares, rounded down."""
    return [
        total_rank([min(1, x.sizes[k]) for x in layers], [x.share[k] for x in layers])
        for k in range(layers[0].count)
    ]


def scores_of(layers: Sequence[PackedDas]) -> torch.Tensor:
    """u [K, layers], on the CPU."""
    return torch.stack([layer.score for layer in layers], dim=1).double().cpu()


def best(layers: Sequence[PackedDas]) -> torch.Tensor:
    """The layers of the highest u of each configuration, as many as it skips [K, layers]."""
    ranked = scores_of(layers).masked_fill(~_has(layers), -torch.inf)
    order = ranked.sort(dim=1, descending=True, stable=True).indices
    chosen = torch.zeros_like(ranked, dtype=torch.bool)
    for k, count in enumerate(totals(layers)):
        chosen[k, order[k, :count]] = True
    return chosen


def _has(layers: Sequence[PackedDas]) -> torch.Tensor:
    """Which configuration has a stand-in where [K, layers]."""
    return torch.tensor([layer.sizes for layer in layers]).T > 0


def _chances(layers: Sequence[PackedDas]) -> torch.Tensor:
    return scores_of(layers).sigmoid() * _has(layers)


def _pairs(counts: Sequence[int], layers: Sequence[PackedDas]) -> list[tuple[int, int]]:
    return list(zip(counts, totals(layers), strict=True))


def _skip(layers: Sequence[PackedDas], chosen: torch.Tensor) -> None:
    for layer, column in zip(layers, chosen.T.tolist(), strict=True):
        layer.skip(column)
