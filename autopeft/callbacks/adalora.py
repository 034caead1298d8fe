"""AdaLoRA: prunes triplets of `B diag(E) A` to a falling total rank while it trains.

Zhang et al., Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning, ICLR 2023
(2303.10512). The scale is that of the initial rank and never changes. Live triplets with E folded
into B are a plain LoRA of the same scale, which is what is exported: in the words of peft its alpha
is `scaling * rank` at every site. The parameters of the initial rank are held throughout.

Where this differs from peft and the release: exactly b(t) triplets stay, ties going to the lower
site and direction (they cut every triplet that ties with the last one cut, and fail when nothing
is to be cut); steps count from 1; the orthogonality term is a gradient, not a part of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from autopeft.training.callback import Callback, Run
from autopeft.training.low_rank import add_product
from autopeft.training.packed_module import PackedModule, generators, sizes_of
from autopeft.types import Count, PeftModule, Settings, Site

NAME = "adalora"


def count(site: Site, settings: Settings) -> Count:
    """r (d_in + d_out) + r at the initial rank."""
    parameters = int(settings["rank"]) * (site.in_features + site.out_features + 1)
    return Count(parameters, parameters)


class PackedAdaLora(PackedModule):
    """A [K, r, d_in], E [K, r] and B [K, d_out, r]; padded directions are all 0."""

    A: nn.Parameter
    E: nn.Parameter
    B: nn.Parameter

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(sizes_of(settings, "rank"))
        down, up = [], []
        for rank, generator in zip(self.sizes, generators(site, NAME, seeds), strict=True):
            down.append(0.02 * torch.randn(rank, site.in_features, generator=generator))
            up.append(0.02 * torch.randn(site.out_features, rank, generator=generator))
        self.stack("A", down, padded=0)
        self.stack("E", [torch.zeros(rank) for rank in self.sizes], padded=0)
        self.stack("B", up, padded=1)
        self.scale([float(s["scaling"]) if s is not None else 0.0 for s in settings])

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Add the update to the output of the linear."""
        return [model.get_submodule(site.path).register_forward_hook(self._add)]

    def _add(self, module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        hidden = args[0]
        kind = hidden.dtype
        low = torch.bmm(self.slices(hidden), self.A.to(kind).transpose(1, 2))
        low = low * self.E.to(kind).unsqueeze(1) * self.factor.to(kind)
        return add_product(output, low, self.B.to(kind))

    def live(self, index: int) -> torch.Tensor:
        """Directions of one configuration that are not cut."""
        return torch.nonzero(self.E.detach()[index]).flatten()

    def as_lora(self, index: int) -> dict[str, torch.Tensor]:
        """A and B of the plain LoRA of the live directions, E folded into B, on the CPU."""
        live = self.live(index)
        up = self.B.detach()[index][:, live] * self.E.detach()[index][live]
        return {"A": self.A.detach()[index][live].cpu().clone(), "B": up.cpu().clone()}


MODULE = PeftModule(
    label="AdaLoRA",
    paper="arXiv 2303.10512",
    kind="linear",
    size="rank",
    defaults={"scaling": 2.0},
    count=count,
    stack=PackedAdaLora,
    mergeable=True,
)
"""Not in the catalogue: without its callback it would keep its initial rank for ever."""


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

    target: float
    """Mean final rank of a site."""
    start: float = 0.1
    """Share of the steps at the initial rank; the averages need a few dozen steps to settle."""
    last: float = 0.3
    """Share of the steps with the final ranks fixed."""
    interval: int = 1
    beta_1: float = 0.85
    beta_2: float = 0.85
    orthogonality: float = 0.1

    def __post_init__(self) -> None:
        self.totals: list[list[int]] = []
        """Live triplets of each configuration after every step."""
        self.kept: torch.Tensor | None = None
        """[K, triplets of all sites]."""
        self._gradients: dict[nn.Parameter, torch.Tensor] = {}
        self._means: dict[nn.Parameter, torch.Tensor] = {}
        self._spreads: dict[nn.Parameter, torch.Tensor] = {}

    def schedule(self, run: Run, index: int) -> Schedule:
        """The schedule of one configuration."""
        sizes = [layer.sizes[index] for layer in _layers(run)]
        final = min(sum(sizes), round(self.target * sum(1 for size in sizes if size)))
        end = run.steps - round(self.last * run.steps)
        return Schedule(sum(sizes), final, min(round(self.start * run.steps), end - 1), end)

    def after_backward(self, run: Run, step: int) -> None:
        """Add the gradient of the orthogonality term; keep what the scores need."""
        if self.orthogonality:
            (self.orthogonality * _orthogonality(_layers(run)).sum()).backward()
        for layer in _layers(run):
            for parameter in (layer.A, layer.E, layer.B):
                assert parameter.grad is not None
                self._gradients[parameter] = parameter.grad.clone()

    @torch.no_grad()
    def after_step(self, run: Run, step: int) -> None:
        """Score the triplets, with the weights after the step as the release does, and cut."""
        now = step + 1
        schedules = [self.schedule(run, k) for k in range(run.pack.count)]
        end = schedules[0].end
        if now < end:
            for parameter, gradient in self._gradients.items():
                self._update(parameter, gradient)
        due = schedules[0].start < now < end and now % self.interval == 0
        if due or now == end:
            totals = torch.tensor([one.total(now) for one in schedules])
            self.kept = self._largest(self.scores(run), totals)
        if self.kept is not None:
            self._cut(run, self.kept)
        counted = torch.stack([(layer.E != 0).sum(1) for layer in _layers(run)]).sum(0)
        self.totals.append(counted.tolist())

    def _update(self, parameter: nn.Parameter, gradient: torch.Tensor) -> None:
        sensitivity = (parameter * gradient).abs()
        mean = self._means.setdefault(parameter, torch.zeros_like(sensitivity))
        spread = self._spreads.setdefault(parameter, torch.zeros_like(sensitivity))
        mean.mul_(self.beta_1).add_(sensitivity, alpha=1 - self.beta_1)
        spread.mul_(self.beta_2).add_((sensitivity - mean).abs(), alpha=1 - self.beta_2)

    def _entry(self, parameter: nn.Parameter) -> torch.Tensor:
        return self._means[parameter] * self._spreads[parameter]

    def scores(self, run: Run) -> torch.Tensor:
        """Sensitivity times uncertainty of every triplet, [K, triplets of all sites] (Eq. 7).

        That of padding is -1.
        """
        found = []
        for layer in _layers(run):
            triplets = self._entry(layer.E) + self._entry(layer.A).mean(2)
            triplets = triplets + self._entry(layer.B).mean(1)
            sizes = torch.tensor(layer.sizes, device=triplets.device).unsqueeze(1)
            real = torch.arange(triplets.shape[1], device=triplets.device) < sizes
            found.append(torch.where(real, triplets, -1))
        return torch.cat(found, dim=1)

    def _largest(self, scores: torch.Tensor, totals: torch.Tensor) -> torch.Tensor:
        order = scores.sort(dim=1, descending=True, stable=True).indices
        place = torch.empty_like(order)
        place.scatter_(1, order, torch.arange(order.shape[1], device=order.device).expand_as(order))
        return (place < totals.to(place.device).unsqueeze(1)) & (scores >= 0)

    def _cut(self, run: Run, kept: torch.Tensor) -> None:
        first = 0
        for layer in _layers(run):
            width = layer.E.shape[1]
            layer.E.masked_fill_(~kept[:, first : first + width], 0.0)
            first += width


def _layers(run: Run) -> list[Any]:
    return [layer for layer in run.pack.layers.values() if isinstance(layer, PackedAdaLora)]


def _orthogonality(layers: Sequence[Any]) -> torch.Tensor:
    """Mean over a configuration's matrices of |A A^T - I| and |B^T B - I|, Frobenius, [K]."""
    total: torch.Tensor = layers[0].E.new_zeros(layers[0].count)
    matrices: torch.Tensor = layers[0].E.new_zeros(layers[0].count)
    for layer in layers:
        sizes = torch.tensor(layer.sizes, device=layer.E.device)
        real = (torch.arange(layer.E.shape[1], device=sizes.device) < sizes.unsqueeze(1)).float()
        unit = torch.diag_embed(real).to(layer.A.dtype)
        for product in (layer.A @ layer.A.transpose(1, 2), layer.B.transpose(1, 2) @ layer.B):
            total = total + torch.linalg.matrix_norm(product - unit)
            matrices = matrices + (sizes > 0)
    return total / matrices.clamp(min=1)
