"""A resized model computes what the masked one did, with smaller linears."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    OPTConfig,
    OPTForSequenceClassification,
)

import autopeft
from autopeft import catalog, checkpoint
from autopeft.errors import UsageError
from autopeft.sites.discovery import discover
from autopeft.training.masks import PackedMasks, cuts
from autopeft.training.multiply_adds import MultiplyAdds
from autopeft.types import Configuration, Placement
from tests import tiny_models

ENCODER = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "num_labels": 3,
}
OTHERS = {
    "roberta": ENCODER,
    "qwen3": ENCODER | {"num_key_value_heads": 2, "head_dim": 8, "use_cache": False},
}
IDS = torch.arange(1, 13).view(2, 6)


def model_of(name: str) -> Any:
    if name in tiny_models.ARCHITECTURES:
        return tiny_models.frozen(name)
    torch.manual_seed(0)
    config = AutoConfig.for_model(name, **OTHERS[name])
    return AutoModelForSequenceClassification.from_config(config).double().eval()


def adapted(model: Any, modules: dict[str, int]) -> Any:
    """The model with those modules wherever they fit, drawn, and parts cut at random."""
    backbone = discover(model, catalog.backbones.all(), name="any")
    placed = [
        Placement(site.name, name, {**piece.defaults, piece.size: size})
        for site in backbone.sites
        for name, size in modules.items()
        for piece in [catalog.modules.load(name)]
        if site.kind == piece.kind
    ]
    head = checkpoint.head_paths(model, set())
    autopeft.attach(model, Configuration(tuple(placed), 1e-3), head=head)
    generator = torch.Generator().manual_seed(1)
    for layer in model.autopeft.layers.values():
        for parameter in layer.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.data = 0.3 * drawn
        if isinstance(layer, PackedMasks):
            kept = torch.rand(layer.masks.shape, generator=generator) < 0.5
            kept[:, 0] = True
            layer.masks.data = kept.double()
    return model.eval()


EVERYTHING = {
    "lora": 2,
    "sparse": 40,
    "prefix": 3,
    "parallel_adapter": 2,
    "cut_heads": 50,
    "cut_neurons": 50,
}


@pytest.mark.parametrize("name", ["bert", "roberta", "llama", "qwen3", "gpt2"])
def test_logits_are_the_same_and_linears_smaller(name: str) -> None:
    model = adapted(model_of(name), EVERYTHING)
    linears = [model.get_submodule(s.path) for s in model.autopeft.backbone.sites]
    before = sum(linear.weight.numel() for linear in linears if hasattr(linear, "weight"))
    with torch.no_grad():
        expected = model(input_ids=IDS).logits
        assert autopeft.resize(model) is model
        torch.testing.assert_close(model(input_ids=IDS).logits, expected, rtol=1e-9, atol=1e-12)
    after = sum(linear.weight.numel() for linear in linears if hasattr(linear, "weight"))
    assert any(cuts(model.autopeft).values())
    assert after < 0.9 * before
    with torch.no_grad():
        torch.testing.assert_close(autopeft.resize(model)(input_ids=IDS).logits, expected)


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2"])
def test_the_multiply_adds_that_are_saved_are_those_that_are_predicted(name: str) -> None:
    """50 percent of 2 heads, of 32 or 64 neurons."""
    model = model_of(name)
    backbone = discover(model, catalog.backbones.all(), name="any")
    head, modules = checkpoint.head_paths(model, set()), catalog.modules.all()
    counted = MultiplyAdds(model, backbone, modules, head, 6)
    whole = counted.frozen
    adapted(model, {"cut_heads": 50, "cut_neurons": 50})
    for layer in model.autopeft.layers.values():
        half = torch.arange(layer.parts) % 2
        layer.masks.data = half.double().unsqueeze(0)
    predicted = counted.measured(model.autopeft.jobs[0].configuration.placements)
    autopeft.resize(model)
    found = MultiplyAdds(model, backbone, modules, head, 6).frozen
    assert predicted["multiply_adds"].value == found < 0.6 * whole


def test_what_is_trained_further_still_learns() -> None:
    model = autopeft.resize(adapted(model_of("bert"), EVERYTHING))
    model(input_ids=IDS).logits.square().sum().backward()
    pack = model.autopeft
    for key, layer in pack.layers.items():
        for parameter in layer.parameters():
            masked = isinstance(layer, PackedMasks)
            assert (parameter.grad is None) == masked, key


def test_a_model_keeps_its_masks_where_it_cannot_be_resized() -> None:
    config = OPTConfig(**ENCODER, ffn_dim=24, word_embed_proj_dim=16, use_cache=False)
    model = adapted(OPTForSequenceClassification(config).double(), {"cut_neurons": 50})
    with pytest.raises(UsageError, match="family `opt` cannot be resized") as caught:
        autopeft.resize(model)
    assert "bert" in caught.value.hint


def test_masks_that_are_not_cut_are_refused_and_nothing_is_changed() -> None:
    model = adapted(model_of("bert"), {"cut_heads": 50, "cut_neurons": 50})
    masks = [x for x in model.autopeft.layers.values() if isinstance(x, PackedMasks)]
    masks[-1].masks.data[0, 0] = 0.9
    shapes = [parameter.shape for parameter in model.parameters()]
    with pytest.raises(UsageError, match="not cut yet"):
        autopeft.resize(model)
    assert [parameter.shape for parameter in model.parameters()] == shapes


def test_a_saved_adapter_says_what_is_cut_and_a_resized_one_is_not_saved(tmp_path: Path) -> None:
    model = adapted(model_of("bert").float(), {"cut_heads": 50, "cut_neurons": 50})
    autopeft.save(model, tmp_path, source="somewhere")
    about = json.loads((tmp_path / "autopeft.json").read_text())["about"]
    assert about == {"cut": cuts(model.autopeft)}
    loaded = autopeft.load(tmp_path, model_of("bert").float())
    with torch.no_grad():
        expected = model.float()(input_ids=IDS).logits
        found = autopeft.resize(loaded)(input_ids=IDS).logits
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(UsageError, match="resized model"):
        autopeft.save(loaded, tmp_path)


# --- a resized model in a folder of its own ---------------------------------------------------


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2"])
def test_a_resized_model_is_written_and_read_without_its_base(name: str, tmp_path: Path) -> None:
    model = autopeft.resize(adapted(model_of(name), EVERYTHING))
    files = autopeft.save_resized(model, tmp_path / "smaller")
    assert {file.name for file in files} == {file.name for file in (tmp_path / "smaller").iterdir()}
    found = autopeft.load_resized(tmp_path / "smaller")
    assert not found.training
    assert {n: p.shape for n, p in found.named_parameters()} == {
        n: p.shape for n, p in model.named_parameters()
    }
    with torch.no_grad():
        expected = model(input_ids=IDS).logits
        torch.testing.assert_close(found(input_ids=IDS).logits, expected, rtol=1e-12, atol=1e-12)


def test_only_a_resized_model_is_written_as_one(tmp_path: Path) -> None:
    model = adapted(model_of("bert"), {"cut_neurons": 50})
    with pytest.raises(UsageError, match="has not been resized"):
        autopeft.save_resized(model, tmp_path / "smaller")
    assert not (tmp_path / "smaller").exists()


def test_a_folder_without_a_resized_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read a resized model"):
        autopeft.load_resized(tmp_path)
    autopeft.save_resized(autopeft.resize(adapted(model_of("bert"), {"cut_heads": 50})), tmp_path)
    (tmp_path / "resized.json").write_text('{"schema": "autopeft.resized/99"}')
    with pytest.raises(UsageError, match="has the format `autopeft"):
        autopeft.load_resized(tmp_path)
    (tmp_path / "resized.json").write_text("[]")
    with pytest.raises(UsageError, match="cannot read a resized model"):
        autopeft.load_resized(tmp_path)


def test_a_model_that_cannot_be_built_is_refused(tmp_path: Path) -> None:
    autopeft.save_resized(autopeft.resize(adapted(model_of("bert"), {"cut_heads": 50})), tmp_path)
    text = (tmp_path / "resized.json").read_text()
    (tmp_path / "resized.json").write_text(text.replace("BertFor", "NoSuchModelFor"))
    with pytest.raises(UsageError, match="cannot build the model"):
        autopeft.load_resized(tmp_path)


@pytest.mark.parametrize("changed", ["base", "adapter", "missing"])
def test_weights_that_do_not_fit_the_model_are_refused(changed: str, tmp_path: Path) -> None:
    autopeft.save_resized(autopeft.resize(adapted(model_of("bert"), {"cut_heads": 50})), tmp_path)
    tensors = load_file(tmp_path / "resized.safetensors")
    start = "adapter:" if changed == "adapter" else "base:"
    name = next(n for n, tensor in tensors.items() if n.startswith(start) and tensor.dim())
    if changed == "missing":
        del tensors[name]
    else:
        tensors[name] = torch.zeros(*(size + 1 for size in tensors[name].shape))
    save_file(tensors, tmp_path / "resized.safetensors")
    with pytest.raises(UsageError, match="does not fit"):
        autopeft.load_resized(tmp_path)
