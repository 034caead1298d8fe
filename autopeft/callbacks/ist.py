"""IST: every step trains a few layers, drawn by an importance that is learned on the way.

Yao et al., Layer-wise Importance Matters: Less Memory for Better Performance in
Parameter-efficient Fine-tuning of LLMs, EMNLP-F 2024 (2410.11772). A layer's `u` rises when
damping it lowers the loss; layers are trained with weight sigmoid(-u). Scales are damped and
restored per module. A resting layer is bit-identical after the step; its moments decay as if its
gradient were zero. A module without a scale (a prefix) is trained and rested, but never damped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from autopeft import digest
from autopeft.training.callback import Callback, Run


@dataclass
class Ist(Callback):
    """Sparse updates of a pack, every configuration with its own draws and scores."""

    interval: int = 10
    """Steps between two rounds of scoring."""
    candidates: int = 3
    damping: float = 0.25
    trained_share: float = 0.25
    damped_share: float = 0.5
    step_size: float = 10.0
    standardised: bool = False
    """Divide a round's rewards by their spread: for runs too short for the plain ones."""
    rests: bool = True
    """Train only the drawn layers; without it the importance is learned, and all are trained."""

    def __post_init__(self) -> None:
        self.scores = torch.empty(0)
        """u, [K, layers]; high is unimportant."""
        self.active = torch.empty(0, dtype=torch.bool)
        """Layers that the step trains, [K, layers]."""
        self._before: dict[torch.nn.Parameter, torch.Tensor] = {}

    def before_step(self, run: Run, step: int) -> None:
        """Score now and then; draw the layers of the step."""
        depth = len(run.pack.backbone.layers)
        if not len(self.scores):
            self.scores = torch.zeros(run.pack.count, depth, dtype=torch.float64)
        if step and step % self.interval == 0:
            self._round(run, step)
        count = max(1, int(self.trained_share * depth)) if self.rests else depth
        self.active = self._draw(run, (-self.scores).sigmoid(), count, ("train", step))
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

    def _layers(self, run: Run) -> Iterator[tuple[torch.nn.Module, torch.Tensor]]:
        """Every stacked module, and for which configurations it is trained [K]."""
        for key, layer in run.pack.layers.items():
            active = self.active[:, run.pack.sites[key].layer]
            yield layer, active.to(next(layer.parameters()).device)

    # --- importance -----------------------------------------------------------------------------

    @torch.no_grad()
    def _round(self, run: Run, step: int) -> None:
        """Damp sets of layers and move their scores by what that does to the loss."""
        rows = self._rows(run, step)
        chances = self.scores.sigmoid()
        sets = self._sets(run, chances, step)
        rewards = torch.stack([self._reward(run, rows, damped) for damped in sets])
        rewards = rewards - rewards.mean(0)
        if self.standardised:
            rewards = rewards / rewards.std(0).clamp(min=1e-12)
        for reward, damped in zip(rewards, sets, strict=True):
            move = self.step_size * reward.unsqueeze(1) * chances * (1 - chances)
            self.scores += torch.where(damped, torch.nan_to_num(move), 0)

    def _rows(self, run: Run, step: int) -> list[int]:
        generator = torch.Generator().manual_seed(digest.seed_of("ist", step))
        return torch.randperm(len(run.split), generator=generator)[: run.batch].tolist()

    def _sets(self, run: Run, chances: torch.Tensor, step: int) -> list[torch.Tensor]:
        """Sets to damp [K, layers]; those of one configuration differ where there are enough."""
        depth = chances.shape[1]
        count = min(max(1, int(self.damped_share * depth)), max(1, depth - 1))
        found: list[torch.Tensor] = []
        for attempt in range(20 * self.candidates):
            drawn = self._draw(run, chances, count, ("damp", step, attempt))
            repeated = any(bool((drawn == other).all(1).any()) for other in found)
            if not repeated or attempt >= 19 * self.candidates:
                found.append(drawn)
            if len(found) == self.candidates:
                break
        return found

    def _reward(self, run: Run, rows: list[int], damped: torch.Tensor) -> torch.Tensor:
        with self._damped(run, damped):
            logits = run.pack.logits(run.model, run.split.batch(rows))
            loss = run.task.loss(logits, run.split.labels[rows].to(logits.device))
        return (-loss).double().exp().cpu()

    @contextmanager
    def _damped(self, run: Run, damped: torch.Tensor) -> Iterator[None]:
        kept: list[tuple[Any, torch.Tensor]] = []
        for key, layer in run.pack.layers.items():
            scale = getattr(layer, "factor", None)
            if isinstance(scale, torch.Tensor):
                kept.append((layer, scale))
                mine = damped[:, run.pack.sites[key].layer].to(scale.device).view(-1, 1, 1)
                layer.factor = torch.where(mine, scale * self.damping, scale)
        try:
            yield
        finally:
            for layer, scale in kept:
                layer.factor = scale

    def _draw(
        self, run: Run, weights: torch.Tensor, count: int, part: tuple[object, ...]
    ) -> torch.Tensor:
        """`count` layers of each configuration by weight, from its own seed alone [K, layers]."""
        chosen = torch.zeros_like(weights, dtype=torch.bool)
        for k, job in enumerate(run.pack.jobs):
            generator = torch.Generator().manual_seed(digest.seed_of(job.seed, "ist", *part))
            chosen[k, torch.multinomial(weights[k], count, generator=generator)] = True
        return chosen
