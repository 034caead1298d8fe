"""AdaLoRA: prunes triplets of `B diag(E) A` to a falling total rank while it trains.

Zhang et al., Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning, ICLR 2023
(2303.10512). The scale is that of the initial rank and never changes. Live triplets with E folded
into B are a plain LoRA of the same scale, which is what is exported: in the words of peft its alpha
is `scaling * rank` at every site. The parameters of the initial rank are held throughout; what is
cut keeps its gradient, and may grow and win its place back until the last phase.

Where this differs from peft and the release: exactly b(t) triplets stay, ties going to the lower
site and direction (they cut every triplet that ties with the last one cut, and fail when nothing
is to be cut); steps count from 1; the orthogonality term is a gradient, not a part of the loss, so
that the loss of a rung is that of the task; the scale has no 1e-5 added to its rank; the final
total need not be a whole number of ranks per site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from autopeft.callbacks.orthogonality import add_orthogonality
from autopeft.training.callback import Callback, Run
from autopeft.training.triplets import PackedTriplets, total_rank
from autopeft.types import Settings, Site

TRAINED = ("A", "E", "B")


class PackedAdaLora(PackedTriplets):
    """Triplets with the averages that score them, and which of them are kept."""

    name = "adalora"
    kept: torch.Tensor
    """[K, r]; padding is not."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(site, settings, seeds)
        self.scale([float(s["scaling"]) if s is not None else 0.0 for s in settings])
        for name in TRAINED:
            parameter: nn.Parameter = getattr(self, name)
            empty = [self._view(parameter.detach(), name, k) * 0 for k in range(self.count)]
            self.remember(f"mean_{name}", empty, padded=self.padded[name])
            self.remember(f"spread_{name}", empty, padded=self.padded[name])
        kept = [torch.ones(rank, dtype=torch.bool) for rank in self.sizes]
        self.remember("kept", kept, padded=0)

    def averages(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and uncertainty of the sensitivity of every entry of a parameter."""
        return self.get_buffer(f"mean_{name}"), self.get_buffer(f"spread_{name}")


@dataclass(frozen=True)
class Schedule:
    """The total rank by step, counted from 1 (Eq. 11 of the paper)."""

    initial: int
    final: int
    start: int
    """Steps at the initial total."""
    end: int
    """The step from which the total is final: all steps less those of the last phase."""

    def total(self, step: int) -> int:
        """b(t)."""
        if step <= self.start:
            return self.initial
        if step >= self.end:
            return self.final
        rest = 1 - (step - self.start) / (self.end - self.start)
        return int((self.initial - self.final) * rest**3 + self.final)


@dataclass
class AdaLora(Callback):
    """Budget allocation of every configuration of a pack that has AdaLoRA modules."""

    start: float = 0.1
    """Share of the steps at the initial rank; the averages need a few dozen steps to settle."""
    last: float = 0.3
    """Share of the steps with the final ranks fixed."""
    interval: int = 1
    beta_1: float = 0.85
    beta_2: float = 0.85
    orthogonality: float = 0.1

    def schedule(self, run: Run, index: int) -> Schedule:
        """The schedule of one configuration; its final total is the live share of its ranks."""
        layers = layers_of(run)
        sizes = [layer.sizes[index] for layer in layers]
        final = total_rank(sizes, [layer.live[index] for layer in layers])
        end = run.steps - round(self.last * run.steps)
        return Schedule(sum(sizes), final, min(round(self.start * run.steps), end - 1), end)

    def after_backward(self, run: Run, step: int) -> None:
        """Add the gradient of the orthogonality term."""
        layers = layers_of(run)
        add_orthogonality(layers, [layer.real for layer in layers], self.orthogonality)

    @torch.no_grad()
    def after_step(self, run: Run, step: int) -> None:
        """Score the triplets, with the weights after the step as the release does, and cut."""
        now = step + 1
        layers = layers_of(run)
        schedules = [self.schedule(run, k) for k in range(run.pack.count)]
        end = schedules[0].end
        if now < end:
            for layer in layers:
                self._update(run, layer)
        due = schedules[0].start < now < end and now % self.interval == 0
        if due or now == end:
            totals = torch.tensor([one.total(now) for one in schedules])
            _keep(layers, largest(scores(layers), totals))
        if due or now >= end:
            for layer in layers:
                layer.E.masked_fill_(~layer.kept, 0.0)

    def _update(self, run: Run, layer: PackedAdaLora) -> None:
        for name in TRAINED:
            parameter: nn.Parameter = getattr(layer, name)
            sensitivity = (parameter * run.optimiser.gradient(parameter)).abs_()
            mean, spread = layer.averages(name)
            mean.mul_(self.beta_1).add_(sensitivity, alpha=1 - self.beta_1)
            spread.mul_(self.beta_2)
            spread.add_(sensitivity.sub_(mean).abs_(), alpha=1 - self.beta_2)


def layers_of(run: Run) -> list[PackedAdaLora]:
    """The layers of a pack that are AdaLoRA's."""
    return [layer for layer in run.pack.layers.values() if isinstance(layer, PackedAdaLora)]


def scores(layers: Sequence[PackedAdaLora]) -> torch.Tensor:
    """Sensitivity times uncertainty of every triplet, [K, triplets of all sites] (Eq. 7).

    That of padding is -1.
    """
    found = []
    for layer in layers:
        entries = {name: torch.mul(*layer.averages(name)) for name in TRAINED}
        triplets = entries["E"] + entries["A"].mean(2) + entries["B"].mean(1)
        found.append(torch.where(layer.real, triplets, -1))
    return torch.cat(found, dim=1)


def largest(values: torch.Tensor, totals: torch.Tensor) -> torch.Tensor:
    """The `totals` [K] largest of each row; ties go to the first, and what is below 0 stays out."""
    order = values.sort(dim=1, descending=True, stable=True).indices
    place = torch.empty_like(order)
    place.scatter_(1, order, torch.arange(order.shape[1], device=order.device).expand_as(order))
    return (place < totals.to(place.device).unsqueeze(1)) & (values >= 0)


def _keep(layers: Sequence[PackedAdaLora], kept: torch.Tensor) -> None:
    widths = [layer.E.shape[1] for layer in layers]
    for layer, mine in zip(layers, kept.split(widths, dim=1), strict=True):
        layer.kept.copy_(mine)
