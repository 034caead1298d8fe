"""Discovery on tiny random models of eighteen families; sizes follow from the configurations."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.pytorch_utils import Conv1D

from autopeft import catalog
from autopeft.sites.discovery import discover
from autopeft.types import Backbone

FAMILIES = catalog.backbones.all()

PLAIN = {f"attention.{role}" for role in ("query", "key", "value", "output")} | {
    "mlp.up",
    "mlp.down",
}
GATED = PLAIN | {"mlp.gate"}
FUSED = {"attention.qkv", "attention.output", "mlp.up", "mlp.down"}
CROSS = {f"cross_attention.{role}" for role in ("query", "key", "value", "output")}
MIXER = {"mixer.in", "mixer.x"}

ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 50,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = ENCODER | {"num_key_value_heads": 2, "head_dim": 8}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 50}
BART = {
    f"{side}_{key}": value
    for side in ("encoder", "decoder")
    for key, value in {"layers": 2, "attention_heads": 4, "ffn_dim": 48}.items()
} | {"d_model": 32, "vocab_size": 50, "max_position_embeddings": 40}
VIT = ENCODER | {"image_size": 8, "patch_size": 4}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 48, "vocab_size": 50}
DISTIL = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "vocab_size": 50}
DEBERTA = ENCODER | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
OPT = ENCODER | {"ffn_dim": 48, "word_embed_proj_dim": 32}
MAMBA = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "state_size": 4,
    "time_step_rank": 2,
    "vocab_size": 50,
}

# model type -> configuration, roles of the linears, width of all keys (0: no attention site)
MODELS = {
    "bert": (ENCODER, PLAIN, 32),
    "roberta": (ENCODER, PLAIN, 32),
    "electra": (ENCODER | {"embedding_size": 16}, PLAIN, 32),
    "distilbert": (DISTIL, PLAIN, 32),
    "albert": (ENCODER | {"embedding_size": 16}, PLAIN, 32),
    "deberta-v2": (DEBERTA, PLAIN, 0),
    "modernbert": (ENCODER, FUSED, 32),
    "vit": (VIT, PLAIN, 32),
    "gpt2": (GPT2, FUSED, 32),
    "gpt_neox": (ENCODER, FUSED, 32),
    "opt": (OPT, PLAIN, 32),
    "llama": (GROUPED, GATED, 16),
    "mistral": (GROUPED, GATED, 16),
    "qwen3": (GROUPED, GATED, 16),
    "phi3": (GROUPED, FUSED, 16),
    "t5": (T5, PLAIN | CROSS, 32),
    "bart": (BART, PLAIN | CROSS, 32),
    "mamba": (MAMBA, MIXER, 0),
}


def tiny(model_type: str, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **(MODELS[model_type][0] | changes))
    return AutoModel.from_config(config).eval()


def found(model: nn.Module) -> Backbone:
    return discover(model, FAMILIES, name="tiny")


def run(model: nn.Module) -> None:
    if model.config.model_type == "vit":
        model(torch.zeros(2, 3, 8, 8))
        return
    ids = torch.full((2, 6), 3)
    more = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    model(input_ids=ids, **more)


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> SimpleNamespace:
    model = tiny(request.param)
    _, roles, keys = MODELS[request.param]
    return SimpleNamespace(
        type=request.param, model=model, backbone=found(model), roles=roles, keys=keys
    )


def test_layers(case: SimpleNamespace) -> None:
    expected = {"albert": 1, "t5": 4, "bart": 4}.get(case.type, 2)
    assert len(case.backbone.layers) == expected
    assert {site.layer for site in case.backbone.sites} == set(range(expected))
    assert case.backbone.hidden_size == 32
    assert case.backbone.family == case.type


def test_linear_roles_are_known_and_unique(case: SimpleNamespace) -> None:
    roles = {site.role for site in case.backbone.sites if site.kind == "linear"}
    assert roles == case.roles
    names = [site.name for site in case.backbone.sites]
    assert len(set(names)) == len(names)


def test_linear_paths_resolve_and_widths_are_those_of_a_call(case: SimpleNamespace) -> None:
    for site in case.backbone.sites:
        module = case.model.get_submodule(site.path)
        if site.kind == "linear":
            assert isinstance(module, nn.Linear | Conv1D)
            out = module(torch.zeros(1, site.in_features))
            assert out.shape == (1, site.out_features)


def test_mlp_reads_and_writes_the_hidden_state(case: SimpleNamespace) -> None:
    sites = [site for site in case.backbone.sites if site.kind == "mlp"]
    assert len(sites) == (0 if case.type == "mamba" else len(case.backbone.layers))
    for site in sites:
        assert (site.in_features, site.out_features) == (32, 32)
        linears = {s.path: s.role for s in case.backbone.sites if s.kind == "linear"}
        assert linears[site.path] == "mlp.down"
        assert linears[site.source] in ("mlp.up", "mlp.gate")


def test_layer_sites_give_the_hidden_state(case: SimpleNamespace) -> None:
    sites = [site for site in case.backbone.sites if site.kind == "layer"]
    whole = [site for site in case.backbone.sites if site.kind == "whole_layer"]
    assert [(s.layer, s.path) for s in whole] == [(s.layer, s.path) for s in sites]
    shapes: list[int] = []

    def record(module: nn.Module, inputs: object, output: object) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        assert isinstance(hidden, torch.Tensor)
        shapes.append(hidden.shape[-1])

    handles = [case.model.get_submodule(s.path).register_forward_hook(record) for s in sites]
    run(case.model)
    for handle in handles:
        handle.remove()
    assert [site.path for site in sites] == list(case.backbone.layers)
    assert set(shapes) == {32}
    assert all(site.in_features == site.out_features == 32 for site in sites)


def test_attention_sites_are_what_the_attention_interface_is_called_with(
    case: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: dict[nn.Module, int] = {}
    sdpa = ALL_ATTENTION_FUNCTIONS["sdpa"]

    def record(module: nn.Module, query: torch.Tensor, key: torch.Tensor, *args, **kwargs):
        called[module] = key.shape[1] * key.shape[3]
        return sdpa(module, query, key, *args, **kwargs)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "sdpa", record)
    run(case.model)
    sites = [site for site in case.backbone.sites if site.kind == "attention"]
    cross = {
        case.model.get_submodule(site.path.rpartition(".")[0])
        for site in case.backbone.sites
        if site.role == "cross_attention.key"
    }
    widths = {case.model.get_submodule(site.path): site.out_features for site in sites}
    assert widths == {module: width for module, width in called.items() if module not in cross}
    assert {site.out_features for site in sites} == ({case.keys} if case.keys else set())
    assert all(site.in_features == 32 and site.role == "attention" for site in sites)


def test_parameters_are_those_of_the_model(case: SimpleNamespace) -> None:
    assert case.backbone.parameters == sum(p.numel() for p in case.model.parameters())
    assert case.backbone.head_parameters == 0


def test_encoder_layers_come_before_the_decoder() -> None:
    layers = found(tiny("t5")).layers
    assert [path.split(".")[0] for path in layers] == ["encoder"] * 2 + ["decoder"] * 2
    assert "0.cross_attention.query" not in {site.name for site in found(tiny("bart")).sites}
    assert found(tiny("bart")).site("2.cross_attention.query").path == (
        "decoder.layers.0.encoder_attn.q_proj"
    )
