"""DeBERTa's sites, with and without projections that only read positions."""

import pytest
import torch
from transformers import AutoConfig, AutoModel

from autopeft import catalog
from autopeft.sites.discovery import discover

FAMILY = catalog.backbones.load("deberta")
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 50,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
}


@pytest.mark.parametrize(
    ("model_type", "inputs"),
    [("deberta", {"qkv"}), ("deberta-v2", {"query", "key", "value"})],
)
@pytest.mark.parametrize("shared", [False, True])
def test_position_projections_are_no_sites(model_type: str, inputs: set[str], shared: bool) -> None:
    config = AutoConfig.for_model(model_type, **SIZES, share_att_key=shared)
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    backbone = discover(model, {"deberta": FAMILY}, name="tiny")
    roles = {site.role.partition(".")[2] for site in backbone.sites if site.kind == "linear"}
    assert roles == inputs | {"output", "up", "down"}
    assert not [site for site in backbone.sites if site.kind == "attention"]
