"""What methods that grow ranks share: when, by how much in all, and never above the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from autopeft.callbacks.latecomers import NEVER, Latecomers
from autopeft.callbacks.orthogonality import add_orthogonality
from autopeft.training.callback import Callback, Run
from autopeft.training.triplets import total_rank


@dataclass(frozen=True)
class Rounds:
    """The steps after which ranks grow, counted from 1."""

    first: int
    """Steps before the first interval."""
    interval: int
    count: int

    @property
    def last(self) -> int:
        """The step of the last round."""
        return self.first + self.interval * self.count

    def due(self, step: int) -> bool:
        """Whether ranks grow after this step."""
        return self.first < step <= self.last and (step - self.first) % self.interval == 0

    def left(self, step: int) -> int:
        """Rounds from this step on."""
        return (self.last - step) // self.interval + 1


@dataclass
class Growth(Callback):
    """Growth of every configuration of a pack from rank 1 to its target, the same for all."""

    begin: float = 0.1
    """Share of the steps before the first interval of growth."""
    end: float = 0.5
    """Share of the steps after which ranks are final."""
    rounds: int = 10
    orthogonality: float = 0.1
    latecomers: Latecomers = field(default_factory=Latecomers)
    kind: ClassVar[type[Any]]
    """Class of the layers."""

    def before_step(self, run: Run, step: int) -> None:
        """Before the first step: begin with one rank per site."""
        if step == 0:
            for k in range(run.pack.count):
                self._settle(self.layers(run), k, 0)

    @torch.no_grad()
    def after_backward(self, run: Run, step: int) -> None:
        """The orthogonality of the directions that are trained; nothing for the others."""
        layers = self.layers(run)
        active = [layer.real & (layer.born <= step) for layer in layers]
        add_orthogonality(layers, active, self.orthogonality)
        self.latecomers.hold(layers, step)

    @torch.no_grad()
    def after_step(self, run: Run, step: int) -> None:
        """Score the sites; grow where it is due."""
        layers, rounds, now = self.layers(run), self.schedule(run), step + 1
        self.latecomers.let_in(run, layers, step)
        for layer in layers:
            self.learn(layer)
        if rounds.due(now):
            scores = torch.stack([self.score(layer) for layer in layers], dim=1)
            for k, row in enumerate(scores.double().nan_to_num().tolist()):
                self._grow(layers, k, row, rounds, now)

    def layers(self, run: Run) -> list[Any]:
        """The layers of the method."""
        return [layer for layer in run.pack.layers.values() if isinstance(layer, self.kind)]

    def schedule(self, run: Run) -> Rounds:
        """When ranks grow."""
        first = round(self.begin * run.steps)
        length = max(1, round(self.end * run.steps) - first)
        interval = max(1, length // self.rounds)
        return Rounds(first, interval, min(self.rounds, length // interval))

    def _grow(
        self, layers: Sequence[Any], k: int, scores: Sequence[float], rounds: Rounds, now: int
    ) -> None:
        ranks = [rank_of(layer, k) for layer in layers]
        missing = target(layers, k) - sum(ranks)
        gains = awarded(
            scores,
            [layer.sizes[k] - rank for layer, rank in zip(layers, ranks, strict=True)],
            amount=min(missing, self.amount(missing, rounds, now)),
            each=each(layers, k),
        )
        for layer, rank, gain in zip(layers, ranks, gains, strict=True):
            if gain:
                self.grow(layer, k, slice(rank, rank + gain), now)
        self._settle(layers, k, now)

    def _settle(self, layers: Sequence[Any], k: int, now: int) -> None:
        """Tell every layer whether its configuration still grows, and by how much at a time."""
        missing = target(layers, k) - sum(rank_of(layer, k) for layer in layers)
        for layer in layers:
            self.settle(layer, k, each(layers, k) if missing > 0 else 0, now)

    # --- what a method brings -----------------------------------------------------------------

    def amount(self, missing: int, rounds: Rounds, now: int) -> int:
        """Ranks to give in this round, of those that are missing."""
        raise NotImplementedError

    def learn(self, layer: Any) -> None:
        """Take note of a step."""

    def score(self, layer: Any) -> torch.Tensor:
        """Score of a site in each configuration [K]."""
        raise NotImplementedError

    def grow(self, layer: Any, k: int, new: slice, now: int) -> None:
        """Let directions join the rank of one configuration."""
        raise NotImplementedError

    def settle(self, layer: Any, k: int, ahead: int, now: int) -> None:
        """After a round, and before the first step; `ahead` is 0 once the target is reached."""
        return


def rank_of(layer: Any, k: int) -> int:
    """Current rank of one configuration."""
    return int((layer.grown[k, : layer.sizes[k]] < NEVER).sum())


def target(layers: Sequence[Any], k: int) -> int:
    """Total rank that one configuration ends with: the live share, at least 1 per site."""
    sizes = [int(layer.sizes[k]) for layer in layers]
    shares = [float(layer.live[k]) for layer in layers]
    wanted = total_rank(sizes, shares)
    return max(sum(1 for size in sizes if size), wanted)


def each(layers: Sequence[Any], k: int) -> int:
    """Ranks that a site gains at a time: half of the mean final rank, as IncreLoRA has it."""
    placed = sum(1 for layer in layers if layer.sizes[k])
    return max(1, target(layers, k) // (2 * max(1, placed)))


def awarded(scores: Sequence[float], room: Sequence[int], *, amount: int, each: int) -> list[int]:
    """Ranks that each site gains: the best first, ties by index, `amount` in all.

    Args:
        scores: of the sites.
        room: the most that each site can gain.
        amount: what there is to give; less is given only where there is no more room.
        each: what a site gains before the next one's turn.
    """
    gains = [0] * len(room)
    order = sorted(range(len(room)), key=lambda site: (-scores[site], site))
    amount = min(amount, sum(room))
    while amount > 0:
        for site in order:
            gain = min(each, room[site] - gains[site], amount)
            gains[site] += gain
            amount -= gain
    return gains
