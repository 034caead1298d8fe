"""Score the sites of a study's backbone with an importance method, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autopeft import catalog
from autopeft.settings import Settings
from autopeft.training.batches import order
from autopeft.training.loop import train
from autopeft.training.pack import Job, Pack
from autopeft.types import Backbone, Configuration, Scores
from autopeft.workbench import Workbench, build

if TYPE_CHECKING:
    import torch

BATCHES = 8
HEAD_STEPS = 20
LEARNING_RATE = 5e-3


def score(
    settings: Settings, method: str, note: Callable[[str], None] = lambda text: None
) -> tuple[Scores, Backbone]:
    """Scores of every linear site for the model and data of the settings.

    Raises:
        UsageError: there is no such method, or the data is wrong.
    """
    catalog.importance.load(method)
    bench = build(settings, note=note)
    note(f"scoring the sites with {method}")
    return score_sites(bench, method), bench.backbone


def score_sites(bench: Workbench, method: str) -> Scores:
    """Scores on a few batches of search-train, after the head alone was trained for some steps.

    An untrained head would send gradients of random directions into the backbone.
    """
    piece = catalog.importance.load(method)
    evaluator = bench.evaluator
    split = evaluator.splits[0]
    pack = _trained_head(bench)
    seed, size = evaluator.protocol.seed, evaluator.protocol.batch

    def loss_of(chosen: list[int]) -> Callable[[], torch.Tensor]:
        def loss() -> torch.Tensor:
            with pack.attached(bench.checkpoint.model):
                logits = pack.logits(bench.checkpoint.model, split.batch(chosen))
                return bench.task.loss(logits, split.labels[chosen].to(logits.device))[0]

        return loss

    batches = [loss_of(chosen) for chosen in order(split.lengths, size, BATCHES, seed=seed)]
    scores = piece.score(bench.checkpoint.model, bench.backbone, batches)
    about = {"batches": BATCHES, "batch": size, "split": "search-train", "head_steps": HEAD_STEPS}
    return Scores(scores.method, scores.site, {**scores.provenance, **about}, scores.detail)


def _trained_head(bench: Workbench) -> Pack:
    """A pack of the head alone after a few steps, frozen."""
    evaluator = bench.evaluator
    job = Job(Configuration((), LEARNING_RATE), bench.settings.seed)
    model = bench.checkpoint.model
    pack = Pack(model, bench.backbone, [job], modules=bench.modules, head=bench.checkpoint.head)
    protocol = replace(evaluator.protocol, steps=HEAD_STEPS, rungs=())
    train(model, pack, task=bench.task, protocol=protocol, splits=evaluator.splits)
    pack.requires_grad_(False)
    return pack


def to_json(scores: Scores) -> dict[str, Any]:
    """Plain data."""
    return {
        "method": scores.method,
        "site": dict(scores.site),
        "provenance": dict(scores.provenance),
        "detail": dict(scores.detail),
    }


def from_json(data: Mapping[str, Any]) -> Scores:
    """The inverse of `to_json`."""
    return Scores(data["method"], data["site"], data["provenance"], data["detail"])
