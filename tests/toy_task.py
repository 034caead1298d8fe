"""A classification task whose answers a tiny model gives once one site has the right update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from autopeft import catalog
from autopeft.scoring.scoring import Scoring
from autopeft.sites.discovery import discover
from autopeft.training.batches import Split
from autopeft.training.loop import Protocol
from autopeft.training.pack import Pack
from autopeft.types import Backbone
from tests import tiny_models

LENGTH = 8


class Padding:
    """Rows of one length, as a tokenizer pads them."""

    def pad(self, rows: Sequence[dict[str, list[int]]], **options: Any) -> dict[str, torch.Tensor]:
        """The rows as tensors."""
        return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def split(ids: torch.Tensor, labels: torch.Tensor) -> Split:
    """Those token ids [rows, LENGTH] and labels as a split."""
    rows = tuple({"input_ids": row, "attention_mask": [1] * LENGTH} for row in ids.tolist())
    return Split(rows, labels, Padding(), torch.device("cpu"))


def planted(model: Any, backbone: Backbone, sites: Sequence[str], *, rows: int = 256) -> Split:
    """Random texts labelled by the model with a large rank-2 update at the sites."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(1, tiny_models.VOCABULARY, (rows, LENGTH), generator=generator)
    before = {name: model.get_submodule(backbone.site(name).path).weight for name in sites}
    kept = {name: weight.data.clone() for name, weight in before.items()}
    with torch.no_grad():
        for weight in before.values():
            up = torch.randn(weight.shape[0], 2, generator=generator, dtype=weight.dtype)
            down = torch.randn(2, weight.shape[1], generator=generator, dtype=weight.dtype)
            weight.add_(up @ down)
        labels = model(input_ids=ids).logits.argmax(-1)
        for name, weight in before.items():
            weight.copy_(kept[name])
    return split(ids, labels)


def scoring(
    sites: Sequence[str] = (),
    *,
    steps: int = 40,
    seed: int = 0,
    layers: int = 4,
    clip: float = 1.0,
    dtype: torch.dtype = torch.float32,
) -> Scoring:
    """The scoring of a tiny model with a fixed head; its data needs an update at those sites."""
    model = tiny_models.frozen("bert", dtype, layers)
    backbone = discover(model, catalog.backbones.all(), name="bert")
    data = planted(model, backbone, sites or ["1.mlp.up"])
    return Scoring(
        model=model,
        backbone=backbone,
        modules=catalog.modules.all(),
        head=(),
        task=catalog.tasks.load("text_classification"),
        protocol=Protocol(steps=steps, batch=16, length=LENGTH, seed=seed, clip=clip),
        splits=(data, data),
        seed=seed,
    )


@dataclass(frozen=True)
class Muted(Scoring):
    """A scoring in which LoRA works at some sites only, whatever is trained elsewhere."""

    useful: tuple[str, ...] = ()

    def pack(self, *given: Any, **options: Any) -> Pack:
        """A pack whose scales are 0 at every other site."""
        pack = super().pack(*given, **options)
        for key, layer in pack.layers.items():
            if pack.sites[key].name not in self.useful:
                layer.factor.zero_()
        return pack


def muted(useful: Sequence[str], *, steps: int) -> Muted:
    """The scoring of a task that needs those sites, and nothing else can be trained."""
    plain = scoring(useful, steps=steps)
    given = {field.name: getattr(plain, field.name) for field in fields(plain)}
    return Muted(**given, useful=tuple(useful))
