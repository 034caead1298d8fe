"""Discovery where a model is small, huge, shared, headed, or no pretrained model at all."""

import pytest
import torch
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    GPT2Config,
    T5Config,
)

from autopeft.errors import UsageError
from autopeft.sites.discovery import discover
from autopeft.types import Backbone, Family

SIZES = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 50,
    "max_position_embeddings": 40,
}


def bert(layers: int) -> nn.Module:
    return AutoModel.from_config(BertConfig(**SIZES, num_hidden_layers=layers))


def found(model: nn.Module) -> Backbone:
    return discover(model, {}, name="tiny")


def test_one_layer() -> None:
    backbone = found(bert(1))
    assert backbone.layers == ("encoder.layer.0",)
    assert backbone.site("0.attention.query").path == "encoder.layer.0.attention.self.query"


def test_eleven_layers_are_told_from_one() -> None:
    backbone = found(bert(11))
    assert [site.layer for site in backbone.sites] == sorted([*range(11)] * 10)
    assert backbone.site("10.mlp.up").path == "encoder.layer.10.intermediate.dense"


def test_head_is_counted_apart_and_paths_begin_at_the_model() -> None:
    config = BertConfig(**SIZES, num_hidden_layers=2, num_labels=3)
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
    model = AutoModel.from_config(
        T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4, vocab_size=50)
    )
    embeddings = (model.shared, model.encoder.embed_tokens, model.decoder.embed_tokens)
    assert len({module.weight for module in embeddings}) == 1
    with_copies = sum(p.numel() for p in model.state_dict().values())
    assert found(model).parameters == with_copies - 2 * 50 * 32


def test_tied_head_is_no_head_parameter() -> None:
    model = AutoModelForCausalLM.from_config(
        GPT2Config(n_embd=32, n_layer=1, n_head=4, vocab_size=50)
    )
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
