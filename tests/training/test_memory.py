"""The memory model: what it predicts is what autograd saves, and the parts are exact."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from autopeft import catalog
from autopeft.discovery import discover
from autopeft.training.memory import MemoryModel, Shape
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models

KINDS = {
    "lora": "linear",
    "serial_adapter": "layer",
    "parallel_adapter": "mlp",
    "prefix": "attention",
}


def setting(architecture: str, shape: Shape, layers: int = 3) -> tuple[Any, Backbone, MemoryModel]:
    model = tiny_models.frozen(architecture, torch.float32, layers)
    backbone = discover(model, catalog.backbones.all(), name=architecture)
    head = ["classifier"] if hasattr(model, "classifier") else ["score"]
    return model, backbone, MemoryModel(model, backbone, catalog.modules.all(), head, shape)


def drawn(backbone: Backbone, rng: random.Random) -> Configuration:
    modules = catalog.modules.all()
    lowest = rng.randrange(len(backbone.layers))
    placed = [
        Placement(s.name, name, {**modules[name].defaults, modules[name].size: rng.randint(1, 12)})
        for s in backbone.sites
        for name, kind in KINDS.items()
        if s.kind == kind and s.layer >= lowest and rng.random() < 0.4
    ]
    return Configuration(tuple(placed), 1e-3)


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_a_prediction_equals_what_a_real_forward_saves(architecture: str) -> None:
    _, backbone, memory = setting(architecture, Shape(rows=6, length=12))
    rng = random.Random(0)
    for _ in range(6):
        configuration = drawn(backbone, rng)
        saved = sum(memory._saved_by_layer(configuration, 6).values())
        assert memory.saved(configuration) == saved


def test_the_parts_add_up() -> None:
    model, backbone, memory = setting("bert", Shape(rows=4, length=8))
    site = backbone.site("2.attention.query")
    one = Configuration((Placement(site.name, "lora", {"rank": 2, "scaling": 2.0}),), 1e-3)
    frozen = sum(p.numel() * 4 for p in model.parameters())
    trained = 2 * (16 + 16) + backbone.head_parameters
    assert backbone.head_parameters == 16 * 3 + 3
    assert memory.predict(one) == frozen + 16 * trained + memory.saved(one)


def test_lower_layers_cost_more_and_rank_is_nearly_free() -> None:
    _, _, memory = setting("bert", Shape(rows=8, length=16))

    def lora(layer: int, rank: int) -> int:
        placement = Placement(f"{layer}.attention.query", "lora", {"rank": rank, "scaling": 2.0})
        return memory.saved(Configuration((placement,), 1e-3))

    assert lora(0, 1) > lora(1, 1) > lora(2, 1) > memory.saved(Configuration((), 1e-3))
    assert lora(0, 2) - lora(0, 1) < 0.02 * lora(0, 1)


def test_a_one_layer_model_is_predicted_too() -> None:
    _, backbone, memory = setting("llama", Shape(rows=4, length=8), layers=1)
    configuration = drawn(backbone, random.Random(3))
    assert memory.saved(configuration) == sum(memory._saved_by_layer(configuration, 4).values())


def test_saved_bytes_grow_with_rows_and_length() -> None:
    sizes = [setting("gpt2", Shape(rows, length))[2] for rows, length in ((2, 8), (8, 8), (8, 24))]
    placement = Placement("0.mlp.up", "lora", {"rank": 2, "scaling": 2.0})
    saved = [memory.saved(Configuration((placement,), 1e-3)) for memory in sizes]
    assert saved[0] < saved[1] < saved[2]
