"""Train a pack for a number of steps, score it at rungs, and report each job by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite

import torch
from torch import nn

from autopeft.training.batches import Split, order, sample
from autopeft.training.callback import Callback, Run, methods
from autopeft.training.pack import Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.training.resumption import Paused, pause, resume
from autopeft.types import Task


@dataclass(frozen=True)
class Protocol:
    """How every configuration of a study is trained: nothing here differs between trials."""

    steps: int
    batch: int
    length: int
    seed: int
    """Of the data order."""
    warmup: float = 0.06
    """Share of the steps in which the learning rate rises linearly; then it falls to 0."""
    weight_decay: float = 0.01
    clip: float = 1.0
    rungs: tuple[float, ...] = (0.15, 0.4, 1.0)
    """Shares of the steps after which the validation split is scored; the last is 1."""
    early_rows: int = 128
    """Most rows of it that are scored before the last of them."""

    @property
    def ends(self) -> list[int]:
        """Steps at which a rung ends, the last of all included."""
        return sorted({max(1, round(share * self.steps)) for share in self.rungs})

    def scored(self, step: int, rows: int) -> list[int]:
        """Indices of a validation split of that many rows that are scored after a step."""
        return sample(rows, rows if step == self.steps else self.early_rows)

    def factor(self, step: int) -> float:
        """The learning rate of step 0, 1, ... as a share of its peak."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return (self.steps - step) / max(1, self.steps - warm)


@dataclass(frozen=True)
class Rung:
    """What one job had reached after a number of steps."""

    step: int
    train_loss: float
    """Mean over the last steps of the rung, at most 20."""
    predictions: torch.Tensor
    """[rows of the validation split that were scored]."""


@dataclass(frozen=True)
class Trained:
    """One job after training, as far as it went."""

    rungs: tuple[Rung, ...]
    finite: bool
    paused: Paused
    """Its weights, and how to go on."""
    seconds: float
    """Its share of the time of its packs."""
    pack: int
    """How many were in the last of them."""


def train(
    model: nn.Module,
    pack: Pack,
    *,
    task: Task,
    protocol: Protocol,
    splits: tuple[Split, Split],
    until: int = 0,
    since: Sequence[Trained] = (),
    progress: Callable[[int], None] = lambda step: None,
    callbacks: Sequence[Callback] = (),
) -> list[Trained]:
    """Train every job of the pack, to the end or to a rung from which it can go on.

    Args:
        model: the frozen base, in eval mode, so that no dropout is drawn.
        pack: the jobs.
        task: its loss and predictions.
        protocol: the steps, batches and schedule.
        splits: search-train and search-validation.
        until: the step at which a rung ends, one of `protocol.ends`; 0 for the last.
        since: the jobs as they were at an earlier rung, maybe in other packs, all at the same
            step; none to begin.
        progress: called after every step with the number of steps done.
        callbacks: run in this order, after the methods of the pack's own module types.
    """
    started = time.perf_counter()
    training, validation = splits
    optimiser = _optimiser(pack, protocol)
    begin = since[0].paused.step if since else 0
    end = until or protocol.steps
    if since:
        resume(pack, optimiser, [job.paused for job in since])
    indices = list(order(training.lengths, protocol.batch, end, seed=protocol.seed))
    run = Run(model, pack, optimiser, task, training, protocol.steps, protocol.batch, indices)
    every = [*methods(pack), *callbacks]
    losses: list[torch.Tensor] = []
    rungs = [list(job.rungs) for job in since] or [[] for _ in pack.jobs]
    with pack.attached(model):
        for step, chosen in islice(enumerate(indices), begin, None):
            factor = protocol.factor(step)
            losses.append(full_step(run, chosen, every, number=step, factor=factor))
            if step + 1 in protocol.ends:
                rows = protocol.scored(step + 1, len(validation))
                found = predict(model, pack, validation, task, rows=rows, size=2 * protocol.batch)
                _record(rungs, step + 1, losses, found)
                losses.clear()
            progress(step + 1)
    seconds = (time.perf_counter() - started) / pack.count
    paused = pause(pack, optimiser, end, last=end == protocol.steps)
    return [
        Trained(
            tuple(mine),
            alive and all(isfinite(rung.train_loss) for rung in mine),
            paused[k],
            seconds + (since[k].seconds if since else 0.0),
            pack.count,
        )
        for k, (mine, alive) in enumerate(zip(rungs, optimiser.alive.tolist(), strict=True))
    ]


def _optimiser(pack: Pack, protocol: Protocol) -> PackedAdamW:
    parameters = list(pack.parameters())
    first = parameters[0]
    rates = torch.tensor([job.configuration.learning_rate for job in pack.jobs])
    return PackedAdamW(
        parameters,
        rates.to(device=first.device, dtype=torch.promote_types(first.dtype, torch.float32)),
        weight_decay=protocol.weight_decay,
        clip=protocol.clip,
    )


def full_step(
    run: Run, chosen: list[int], callbacks: Sequence[Callback], *, number: int, factor: float = 1.0
) -> torch.Tensor:
    """One step with the callbacks around it; gives the loss of each job [K]."""

    def after_backward() -> None:
        if callbacks:
            run.complete_gradients()
        for callback in callbacks:
            callback.after_backward(run, number)

    for callback in callbacks:
        callback.before_step(run, number)
    loss = train_step(
        run.model,
        run.pack,
        run.optimiser,
        run.task,
        split=run.split,
        indices=chosen,
        factor=factor,
        after_backward=after_backward,
    )
    for callback in callbacks:
        callback.after_step(run, number)
    return loss


def train_step(
    model: nn.Module,
    pack: Pack,
    optimiser: PackedAdamW,
    task: Task,
    *,
    split: Split,
    indices: list[int],
    factor: float = 1.0,
    after_backward: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """One optimiser step on those rows, inside `attached`; gives the loss of each job [K]."""
    logits = pack.logits(model, split.batch(indices), split.source(indices))
    loss = task.loss(logits, split.labels[indices].to(logits.device))
    loss.sum().backward()
    after_backward()
    optimiser.step(factor)
    return loss.detach()


@torch.no_grad()
def predict(
    model: nn.Module, pack: Pack, split: Split, task: Task, *, rows: Sequence[int], size: int
) -> torch.Tensor:
    """Predictions [K, rows] of every job on rows of a split, in batches of `size`.

    To be called inside `attached`.
    """
    found: torch.Tensor | None = None
    places = {row: place for place, row in enumerate(rows)}
    for indices in split.by_length(size, rows):
        logits = pack.logits(model, split.batch(indices), split.source(indices))
        predicted = task.predict(logits).cpu()
        if found is None:
            found = predicted.new_empty((pack.count, len(rows)))
        found[:, [places[i] for i in indices]] = predicted
    assert found is not None
    return found


def _record(
    rungs: list[list[Rung]], step: int, losses: Sequence[torch.Tensor], found: torch.Tensor
) -> None:
    recent = torch.stack(list(losses[-20:])).mean(0).tolist()
    for k, mine in enumerate(rungs):
        mine.append(Rung(step, recent[k], found[k].clone()))
