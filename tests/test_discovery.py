"""Discovery on tiny random models of eighteen families; sizes follow from the configurations."""

import importlib
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, BertConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.pytorch_utils import Conv1D

from autopeft.discovery import discover
from autopeft.errors import UsageError
from autopeft.types import Backbone, Family

FAMILIES = {
    name: importlib.import_module(f"autopeft.backbones.{name}").FAMILY
    for name in ("deberta", "mamba")
}

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


def test_one_layer() -> None:
    backbone = found(tiny("bert", num_hidden_layers=1))
    assert backbone.layers == ("encoder.layer.0",)
    assert backbone.site("0.attention.query").path == "encoder.layer.0.attention.self.query"


def test_eleven_layers_are_told_from_one() -> None:
    backbone = found(tiny("bert", num_hidden_layers=11))
    assert [site.layer for site in backbone.sites] == sorted([*range(11)] * 9)
    assert backbone.site("10.mlp.up").path == "encoder.layer.10.intermediate.dense"


def test_head_is_counted_apart_and_paths_begin_at_the_model() -> None:
    config = BertConfig(**ENCODER, num_labels=3)
    model = AutoModelForSequenceClassification.from_config(config)
    backbone = found(model)
    assert backbone.layers[0] == "bert.encoder.layer.0"
    assert backbone.head_parameters == 32 * 3 + 3
    assert backbone.parameters == found(model.bert).parameters
    assert (
        model.get_submodule(backbone.site("1.mlp").path) is model.bert.encoder.layer[1].output.dense
    )


def test_bert_base_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = AutoModel.from_config(BertConfig())
    backbone = found(model)
    assert backbone.parameters == 109_482_240
    assert len(backbone.layers) == 12
    assert next(model.parameters()).device.type == "meta"


def test_shared_tensors_count_once() -> None:
    model = tiny("t5")
    embeddings = (model.shared, model.encoder.embed_tokens, model.decoder.embed_tokens)
    assert len({module.weight for module in embeddings}) == 1
    with_copies = sum(p.numel() for p in model.state_dict().values())
    assert found(model).parameters == with_copies - 2 * 50 * 32


def test_tied_head_is_no_head_parameter() -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", **GPT2))
    assert model.lm_head.weight is model.transformer.wte.weight
    assert found(model).head_parameters == 0


# --- Plain modules ----------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.attn_left = nn.ModuleDict({"q_proj": nn.Linear(width, width)})
        self.attn_right = nn.ModuleDict({"q_proj": nn.Linear(width, width)})


class Stack(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


def test_list_of_equal_modules_is_a_stack() -> None:
    backbone = found(Stack(Block(), Block()))
    assert backbone.layers == ("layers.0", "layers.1")
    assert backbone.hidden_size == 8


def test_unknown_linear_keeps_its_path_as_role() -> None:
    assert found(Stack(Block())).site("0.other.first").path == "layers.0.first"


def test_two_linears_of_one_role_are_told_apart_by_their_path() -> None:
    backbone = found(Stack(Block()))
    assert backbone.site("0.attention.query.attn_left.q_proj").path == "layers.0.attn_left.q_proj"
    assert backbone.site("0.attention.query.attn_right.q_proj").path == "layers.0.attn_right.q_proj"


def test_a_layer_used_twice_is_one_layer() -> None:
    block = Block()
    assert found(Stack(block, block)).layers == ("layers.0",)


def test_family_renames_and_ignores() -> None:
    family = Family(
        "Stack", ("Stack",), roles={r"first": "mlp.up"}, ignore=(r"attn_left\..*", "attn_right")
    )
    backbone = discover(Stack(Block()), {"stack": family}, name="toy")
    roles = {site.role for site in backbone.sites if site.kind == "linear"}
    assert roles == {"mlp.up", "attention.query"}


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(4, 4),
        nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)),
        Stack(),
        Stack(nn.Linear(4, 4), nn.Linear(4, 4)),
        Stack(nn.Sequential(nn.LayerNorm(4))),
    ],
    ids=["linear", "sequence", "empty list", "list of linears", "no linear"],
)
def test_model_without_layers_is_refused_with_a_hint(model: nn.Module) -> None:
    with pytest.raises(UsageError, match="`odd`") as caught:
        discover(model, {}, name="odd")
    assert caught.value.hint


def test_model_whose_linears_are_all_ignored_is_refused() -> None:
    family = Family("Stack", ("Stack",), ignore=(r".*",))
    with pytest.raises(UsageError):
        discover(Stack(Block()), {"stack": family}, name="odd")
