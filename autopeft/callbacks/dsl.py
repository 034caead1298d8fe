"""Drop and regrow: directions move between sites while their total number stays the same.

After DSL (dynamic sparse learning for recommendation), which prunes the smallest weights of a
sparse model and regrows others at a constant budget while it trains. "DSL-style", as what is
dropped here are directions of `B diag(E) A`: those whose update `|E| |A| |B|` is smallest. What
grows are the idle directions with the largest gradient of E, which is how RigL (Evci et al., ICML
2020, 1911.11134) chooses; E begins at 0, the moments anew. The share that moves falls to 0 as a
cosine. Idle directions are held still. The parameters of all directions are held throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from autopeft.callbacks.latecomers import NEVER, Latecomers
from autopeft.training.callback import Callback, Run
from autopeft.training.triplets import PackedTriplets, total_rank
from autopeft.types import Settings, Site


class PackedDsl(PackedTriplets):
    """Triplets of which some are idle, with what each idle one promises."""

    name = "dsl"
    born: torch.Tensor
    """Step from which each direction is trained, [K, r]."""
    promise: torch.Tensor
    """Smoothed size of the gradient of E, [K, r]."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(site, settings, seeds)
        self.scale([float(s["scaling"]) if s is not None else 0.0 for s in settings])
        self.remember("born", [torch.full((rank,), NEVER) for rank in self.sizes], padded=0)
        self.remember("promise", [torch.zeros(rank) for rank in self.sizes], padded=0)

    def births(self) -> Mapping[nn.Parameter, torch.Tensor]:
        """Those of the directions."""
        born = self.born
        return {self.A: born.unsqueeze(2), self.E: born, self.B: born.unsqueeze(1)}

    def magnitudes(self) -> torch.Tensor:
        """Norm of the update of every direction, [K, r]."""
        found: torch.Tensor = self.E.abs() * self.A.norm(dim=2) * self.B.norm(dim=1)
        return found


@dataclass
class Dsl(Callback):
    """Drop and regrow in every configuration of a pack that has such modules."""

    begin: float = 0.1
    """Share of the steps before the first move."""
    end: float = 0.7
    """Share of the steps after which nothing moves."""
    rounds: int = 10
    share: float = 0.3
    """Of the live directions that the first round moves, at most."""
    beta: float = 0.85
    latecomers: Latecomers = field(default_factory=Latecomers)

    def before_step(self, run: Run, step: int) -> None:
        """Before the first step: the same number of live directions everywhere, or one apart."""
        if step == 0:
            layers = layers_of(run)
            for k in range(run.pack.count):
                sizes = [layer.sizes[k] for layer in layers]
                alive = total_rank(sizes, [layer.live[k] for layer in layers])
                order = sorted(
                    (rank, site) for site, size in enumerate(sizes) for rank in range(size)
                )
                for rank, site in order[:alive]:
                    layers[site].born[k, rank] = 0

    @torch.no_grad()
    def after_backward(self, run: Run, step: int) -> None:
        """What idle directions promise; nothing else of their gradients."""
        layers = layers_of(run)
        for layer in layers:
            assert layer.E.grad is not None
            layer.promise.mul_(self.beta).add_(layer.E.grad.abs(), alpha=1 - self.beta)
        self.latecomers.hold(layers, step)

    @torch.no_grad()
    def after_step(self, run: Run, step: int) -> None:
        """Move directions where it is due."""
        layers, now = layers_of(run), step + 1
        self.latecomers.let_in(run, layers, step)
        first, last = round(self.begin * run.steps), round(self.end * run.steps)
        interval = max(1, (last - first) // self.rounds)
        if first < now <= last and (now - first) % interval == 0:
            rest = (1 + math.cos(math.pi * (now - first) / max(1, last - first))) / 2
            for k in range(run.pack.count):
                self._move(run, layers, k, rest * self.share, now)

    def _move(self, run: Run, layers: Sequence[PackedDsl], k: int, share: float, now: int) -> None:
        where = [(layer, j) for layer in layers for j in range(layer.sizes[k])]
        alive = torch.cat([layer.born[k, : layer.sizes[k]] < NEVER for layer in layers])
        sizes = torch.cat([layer.magnitudes()[k, : layer.sizes[k]] for layer in layers])
        promise = torch.cat([layer.promise[k, : layer.sizes[k]] for layer in layers])
        count = min(int(share * int(alive.sum())), int((~alive).sum()))
        # Idle ones sort behind all others here, and live ones there; ties go to the first.
        weakest = torch.where(alive, sizes, torch.inf).argsort(stable=True)[:count]
        best = torch.where(alive, -torch.inf, promise).argsort(stable=True, descending=True)[:count]
        for index in weakest.tolist():
            layer, direction = where[index]
            layer.E[k, direction] = 0
            layer.born[k, direction] = NEVER
            _forget(run, layer, k, direction)
        for index in best.tolist():
            layer, direction = where[index]
            layer.born[k, direction] = now


def layers_of(run: Run) -> list[PackedDsl]:
    """The layers of a pack that drop and regrow."""
    return [layer for layer in run.pack.layers.values() if isinstance(layer, PackedDsl)]


def _forget(run: Run, layer: PackedDsl, k: int, direction: int) -> None:
    """Set the moments of one direction to 0."""
    chosen = torch.zeros_like(layer.E, dtype=torch.bool)
    chosen[k, direction] = True
    views = {layer.A: chosen.unsqueeze(2), layer.E: chosen, layer.B: chosen.unsqueeze(1)}
    for parameter, mask in views.items():
        run.optimiser.forget(parameter, mask)
