"""The memory model: predictions are what a real step allocates, part by part."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import RobertaConfig, RobertaForSequenceClassification

from autopeft import catalog, checkpoint
from autopeft.errors import UsageError
from autopeft.sites.discovery import discover
from autopeft.training.layer_recorder import Recorder
from autopeft.training.memory import MemoryModel
from autopeft.training.memory_target import Target
from autopeft.training.period import STEP, TELLING, NotComposable, affine
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models
from tests.training.cpu_allocator import step_peak

MODULES = catalog.modules.all()
TASK = catalog.tasks.load("text_classification")
TARGET = Target(rows=6, length=24)


def roberta(layers: int) -> Any:
    """Frees what its layers read as soon as they are done, unlike the tiny models."""
    config = RobertaConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        num_labels=3,
    )
    return RobertaForSequenceClassification(config).requires_grad_(False).eval()


def setting(architecture: str, target: Target = TARGET, layers: int = 4) -> tuple[Any, MemoryModel]:
    if architecture == "roberta":
        model = roberta(layers)
    else:
        model = tiny_models.frozen(architecture, torch.float32, layers)
    backbone = discover(model, catalog.backbones.all(), name=architecture)
    head = checkpoint.head_paths(model, set())
    return model, MemoryModel(model, backbone, MODULES, head, target, TASK)


def drawn(backbone: Backbone, rng: random.Random, *, methods: bool = True) -> Configuration:
    """Modules of a few types in some layers from a random one upwards, sizes all different."""
    lowest = rng.randrange(len(backbone.layers))
    roles = rng.sample(sorted({s.role for s in backbone.sites if s.kind != "whole_layer"}), 4)
    placed = [
        Placement(s.name, name, {**piece.defaults, piece.size: rng.randint(1, 12)})
        for s in backbone.sites
        for name, piece in MODULES.items()
        if s.kind == piece.kind
        and s.role in roles
        and s.layer >= lowest
        and s.layer != lowest + 1
        and not piece.square
        and (methods or piece.method is None)
    ]
    return Configuration(tuple(placed), 1e-3)


def lora(sites: Sequence[str], rank: int) -> Configuration:
    placed = (Placement(site, "lora", {"rank": rank, "scaling": 2.0}) for site in sites)
    return Configuration(tuple(placed), 1e-3)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_a_recording_peaks_where_the_cpu_allocator_does(
    architecture: str, checkpointing: bool
) -> None:
    """To 0.01 for the last few scalars; with checkpointing some sums stay one tensor too many."""
    model, memory = setting(architecture, replace(TARGET, checkpointing=checkpointing))
    one = lora(["1.attention.qkv" if architecture == "gpt2" else "1.attention.query"], 3)
    for configuration in (one, drawn(memory.backbone, random.Random(1), methods=False)):
        real = step_peak(model, memory, configuration)
        assert memory.recorded(configuration).step == pytest.approx(
            real, rel=0.05 if checkpointing else 0.01
        )


def test_a_skipped_layer_is_predicted_from_what_stands_in_for_it() -> None:
    model, memory = setting("bert")
    settings = {"bottleneck": 3, "scaling": 1.0}
    skipped = Placement("2.whole_layer", "skip", settings)
    both = Configuration((*lora(["1.mlp.up"], 2).placements, skipped), 1e-3)
    alone = Configuration((skipped,), 1e-3)
    for configuration in (both, alone):
        assert memory.parts(configuration) == memory.recorded(configuration)
        real = step_peak(model, memory, configuration)
        assert memory.parts(configuration).step == pytest.approx(real, rel=0.01)
    assert memory.parts(both).step < memory.parts(lora(["1.mlp.up"], 2)).step


@pytest.mark.parametrize("name", sorted(n for n, m in MODULES.items() if m.method is not None))
def test_a_training_time_method_stays_within_what_is_predicted(name: str) -> None:
    """What it keeps is counted exactly; what it makes after the backward pass is a bound."""
    piece = MODULES[name]
    for target, slack in ((TARGET, 1.6), (replace(TARGET, rows=24), 1.05)):
        model, memory = setting("bert", target, layers=2)
        sites = (s.name for s in memory.backbone.sites if s.kind == piece.kind)
        settings = {**piece.defaults, piece.size: 8}
        configuration = Configuration(tuple(Placement(s, name, settings) for s in sites), 1e-3)
        predicted = memory.recorded(configuration).step
        # The CPU's attention has a buffer for each thread, which tells where so little is held.
        most = 1.01 * predicted + 2048 * torch.get_num_threads()
        assert predicted / slack <= step_peak(model, memory, configuration) <= most


def test_what_grows_with_a_square_is_refused_and_nothing_else_with_it() -> None:
    _, memory = setting("bert")
    settings = {"rank": 2, "alpha": 16.0, "live": 0.5}
    with pytest.raises(UsageError, match="`triadapt` cannot be predicted") as caught:
        memory.predict(Configuration((Placement("1.mlp.up", "triadapt", settings),), 1e-3))
    assert "without peak_memory" in caught.value.hint
    assert memory.predict(lora(["1.mlp.up"], 2)) > 0


@pytest.mark.parametrize("architecture", [*tiny_models.ARCHITECTURES, "roberta"])
def test_layers_put_together_equal_a_recording_of_the_whole(architecture: str) -> None:
    _, memory = setting(architecture)
    rng = random.Random(0)
    for configuration in (Configuration((), 1e-3), drawn(memory.backbone, rng)):
        assert memory.parts(configuration) == memory.recorded(configuration)
    assert memory.composable


def test_a_checkpointed_model_is_put_together_too() -> None:
    _, memory = setting("bert", replace(TARGET, checkpointing=True))
    configuration = drawn(memory.backbone, random.Random(2))
    assert memory.parts(configuration) == memory.recorded(configuration)
    plain = setting("bert")[1].parts(configuration)
    assert memory.parts(configuration).step < plain.step


def test_only_new_sets_of_modules_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    _, memory = setting("bert")
    memory.predict(lora(["1.mlp.up", "2.mlp.up", "3.mlp.up"], 2))
    monkeypatch.setattr(Recorder, "layer", lambda *_: pytest.fail("recorded again"))
    found = [memory.predict(lora(["1.mlp.up", "2.mlp.up", "3.mlp.up"], r)) for r in range(1, 13)]
    assert found == sorted(set(found))


def test_the_parts_are_counted() -> None:
    model, memory = setting("bert")
    parts = memory.parts(lora(["2.attention.query"], 2))
    frozen = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    trained = 4 * (2 * (16 + 16) + memory.backbone.head_parameters)
    assert parts.frozen == frozen
    assert parts.trained == trained + 4, "and the factor of the module"
    assert 3 * trained <= parts.optimiser <= 3 * trained + 64, "two moments and a gradient"
    assert parts.total == sum((parts.frozen, parts.trained, parts.optimiser, parts.step))


def test_lower_layers_cost_more_and_rank_is_nearly_free() -> None:
    _, memory = setting("bert")
    costs = [memory.parts(lora([f"{i}.attention.query"], 1)).step for i in range(4)]
    assert costs == sorted(costs, reverse=True)
    assert memory.parts(Configuration((), 1e-3)).step < costs[-1]
    assert memory.parts(lora(["0.attention.query"], 2)).step - costs[0] < 0.02 * costs[0]


def test_on_a_gpu_storages_come_in_blocks_and_a_workspace_is_held() -> None:
    configuration = lora(["2.attention.query"], 2)
    cpu, cuda = (setting("bert", replace(TARGET, device=name))[1] for name in ("cpu", "cuda"))
    assert cuda.parts(configuration).frozen % 512 == 0
    assert cuda.parts(configuration).step > cpu.parts(configuration).step
    assert cuda.parts(configuration).workspace > 0 == cpu.parts(configuration).workspace


def test_a_base_of_fewer_bits_is_smaller_by_the_bits_of_its_linears() -> None:
    names = ("float32", "bfloat16", "8bit", "4bit")
    models = {name: setting("bert", replace(TARGET, precision=name))[1] for name in names}
    whole, half, eight, four = (models[name].frozen for name in names)
    weights = 4 * (4 * 16 * 16 + 2 * 16 * 32)
    rows = 4 * (5 * 16 + 32)
    assert half - eight == weights - 4 * rows
    assert eight - four == weights // 2 + 4 * rows - weights // 16
    assert whole > half
    steps = [models[name].parts(lora(["1.mlp.up"], 2)).step for name in ("bfloat16", "4bit")]
    assert steps[0] <= steps[1] <= steps[0] + 2 * 16 * 32 * 2


def test_a_one_layer_model_is_predicted_too() -> None:
    model, memory = setting("llama", layers=1)
    configuration = lora(["0.attention.query"], 2)
    assert memory.parts(configuration) == memory.recorded(configuration)
    assert model.config.num_hidden_layers == 1


def test_what_depends_on_the_data_is_refused_in_one_sentence() -> None:
    model, memory = setting("bert")
    layer = model.get_submodule(memory.backbone.layers[0])
    layer.register_forward_hook(lambda *call: call[2].abs().sum(-1).nonzero() and None)
    with pytest.raises(UsageError, match="depends on the data") as caught:
        memory.predict(Configuration((), 1e-3))
    assert "--objective" in caught.value.hint


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="`3bit`"):
        Target(1, 1, precision="3bit")


def test_bytes_are_affine_in_one_size() -> None:
    assert affine((2, 3), 24) == (24, 0, -1)
    assert affine((2, TELLING + STEP + 5), 8 * (TELLING + STEP + 5)) == (40, 8, 1)
    with pytest.raises(NotComposable):
        affine((TELLING, TELLING), 4 * TELLING**2)
