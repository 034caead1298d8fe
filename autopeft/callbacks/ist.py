"""IST: every step trains a few layers, drawn by an importance that is learned on the way.

Yao et al., Layer-wise Importance Matters: Less Memory for Better Performance in
Parameter-efficient Fine-tuning of LLMs, EMNLP-F 2024 (2410.11772). A layer's `u` rises when
damping it lowers the loss, as in `bandit`; layers are trained with weight sigmoid(-u). Scales are
damped and restored per module. A resting layer is bit-identical after the step; its moments decay
as if its gradient were zero. A module without a scale (a prefix) is rested, but never damped.

The lowest layer may always be drawn, and then everything above it is kept for the backward pass:
the peak memory of a training is that of its worst draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from autopeft.callbacks import bandit
from autopeft.training.callback import Callback, Run
from autopeft.training.lora import PackedLora
from autopeft.training.packed_module import PackedModule
from autopeft.training.triplets import total_rank
from autopeft.types import Settings, Site


class PackedIst(PackedLora):
    """A LoRA that rests in most steps, with the score of the layer that it is in."""

    name = "ist"
    score: torch.Tensor
    """u [K], the same at all sites of a layer."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(site, settings, seeds)
        self.share = tuple(float(s["trained"]) if s is not None else 0.0 for s in settings)
        self.remember("score", [torch.zeros(())] * self.count)


@dataclass
class Ist(Callback):
    """Sparse updates of a pack, every configuration with its own draws and scores."""

    interval: int = 10
    """Steps between two rounds of scoring."""
    candidates: int = 3
    damping: float = 0.25
    trained_share: float = 0.25
    """Of the layers; those of IST's own modules bring their shares themselves."""
    damped_share: float = 0.5
    step_size: float = 10.0
    standardised: bool = False
    """Divide a round's rewards by their spread: for runs too short for the plain ones."""
    rests: bool = True
    """Train only the drawn layers; without it the importance is learned, and all are trained."""
    kind: type[PackedModule] = PackedModule
    """Class of the stacked modules that it acts on; the others of the pack are left alone."""

    def __post_init__(self) -> None:
        self.scores = torch.empty(0)
        """u, [K, layers]; high is unimportant."""
        self.active = torch.empty(0, dtype=torch.bool)
        """Layers that the step trains, [K, layers]."""
        self._before: dict[torch.nn.Parameter, torch.Tensor] = {}

    def before_step(self, run: Run, step: int) -> None:
        """Score now and then; draw the layers of the step."""
        self._recall(run)
        present = self._present(run)
        if step and step % self.interval == 0:
            self._round(run, present, step)
        counts = self._counts(run, present) if self.rests else present.sum(1).tolist()
        chances = (-self.scores).sigmoid() * present
        self.active = bandit.drawn(chances, counts, _seeds(run), "ist", "train", step)
        for layer, active in self._layers(run):
            layer.requires_grad_(bool(active.any()))

    def after_backward(self, run: Run, step: int) -> None:
        """Take the gradients of resting layers away, and remember what they are."""
        self._before.clear()
        for layer, active in self._layers(run):
            for parameter in layer.parameters():
                if not active.all():
                    self._before[parameter] = parameter.detach().clone()
                if parameter.grad is not None:
                    parameter.grad[~active] = 0

    def after_step(self, run: Run, step: int) -> None:
        """Undo what momentum and weight decay did to resting layers."""
        with torch.no_grad():
            for layer, active in self._layers(run):
                layer.requires_grad_(True)
                for parameter in layer.parameters():
                    if parameter in self._before:
                        parameter[~active] = self._before[parameter][~active]

    # --- its layers -----------------------------------------------------------------------------

    def _mine(self, run: Run) -> list[tuple[int, Any]]:
        """The layer of every stacked module that is acted on, and the module."""
        modules = run.pack.layers.items()
        return [(run.pack.sites[k].layer, m) for k, m in modules if isinstance(m, self.kind)]

    def _layers(self, run: Run) -> Iterator[tuple[torch.nn.Module, torch.Tensor]]:
        """Every stacked module, and for which configurations it is trained [K]."""
        for index, layer in self._mine(run):
            yield layer, self.active[:, index].to(next(layer.parameters()).device)

    def _present(self, run: Run) -> torch.Tensor:
        """Which configuration has a module where [K, layers]."""
        found = torch.zeros(run.pack.count, len(run.pack.backbone.layers), dtype=torch.bool)
        for index, layer in self._mine(run):
            found[:, index] |= torch.tensor(layer.sizes) > 0
        return found

    def _counts(self, run: Run, present: torch.Tensor) -> list[int]:
        """How many layers each configuration trains in a step: one at least where it has any."""
        shares = present * self.trained_share
        for index, layer in self._mine(run):
            if isinstance(layer, PackedIst):
                own = torch.tensor(layer.share)
                shares[:, index] = torch.where(own > 0, own, shares[:, index])
        rows = zip(present.tolist(), shares.tolist(), strict=True)
        wanted = [total_rank([int(here) for here in row], share) for row, share in rows]
        return [max(w, min(1, int(n))) for w, n in zip(wanted, present.sum(1), strict=True)]

    def _recall(self, run: Run) -> None:
        """The scores as the layers remember them, where they do."""
        if not len(self.scores):
            depth = len(run.pack.backbone.layers)
            self.scores = torch.zeros(run.pack.count, depth, dtype=torch.float64)
        for index, layer in self._mine(run):
            if isinstance(layer, PackedIst):
                here = torch.tensor(layer.sizes) > 0
                kept = layer.score.double().cpu()
                self.scores[:, index] = torch.where(here, kept, self.scores[:, index])

    # --- importance -----------------------------------------------------------------------------

    @torch.no_grad()
    def _round(self, run: Run, present: torch.Tensor, step: int) -> None:
        """Damp sets of layers and move their scores by what that does to the loss."""
        sets = self._sets(run, self.scores.sigmoid() * present, step)
        losses = torch.stack([self._loss(run, step, damped) for damped in sets])
        self.scores = bandit.moved(
            self.scores, sets, losses, step=self.step_size, standardised=self.standardised
        )
        for index, layer in self._mine(run):
            if isinstance(layer, PackedIst):
                layer.score.copy_(self.scores[:, index])

    def _sets(self, run: Run, chances: torch.Tensor, step: int) -> torch.Tensor:
        """Sets to damp [sets, K, layers]; those of one configuration differ where they can."""
        drawn = [
            self._sets_of(chances[k : k + 1], seed, step) for k, seed in enumerate(_seeds(run))
        ]
        return torch.stack(drawn, dim=1)

    def _sets_of(self, chances: torch.Tensor, seed: int, step: int) -> torch.Tensor:
        depth = int((chances > 0).sum())
        count = min(max(1, int(self.damped_share * depth)), max(1, depth - 1), depth)
        found: list[torch.Tensor] = []
        for attempt in range(20 * self.candidates):
            drawn = bandit.drawn(chances, [count], [seed], "ist", "damp", step, attempt)[0]
            if attempt >= 19 * self.candidates or not any(drawn.equal(one) for one in found):
                found.append(drawn)
            if len(found) == self.candidates:
                break
        return torch.stack(found)

    def _loss(self, run: Run, step: int, damped: torch.Tensor) -> torch.Tensor:
        with self._damped(run, damped):
            return run.losses(step).cpu()

    @contextmanager
    def _damped(self, run: Run, damped: torch.Tensor) -> Iterator[None]:
        kept: list[tuple[Any, torch.Tensor]] = []
        for index, layer in self._mine(run):
            scale = getattr(layer, "factor", None)
            if isinstance(scale, torch.Tensor):
                kept.append((layer, scale))
                mine = damped[:, index].to(scale.device).view(-1, 1, 1)
                layer.factor = torch.where(mine, scale * self.damping, scale)
        try:
            yield
        finally:
            for layer, scale in kept:
                layer.factor = scale


def _seeds(run: Run) -> list[int]:
    return [job.seed for job in run.pack.jobs]
