"""Mamba's sites are the linears that a module can be trained on."""

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from autopeft import catalog
from autopeft.sites.discovery import discover
from autopeft.types import Backbone

FAMILY = catalog.backbones.load("mamba")
SIZES = {
    "mamba": {"state_size": 4, "time_step_rank": 2},
    "falcon_mamba": {"state_size": 4, "time_step_rank": 2},
    "mamba2": {"state_size": 4, "head_dim": 8, "num_heads": 8, "n_groups": 1, "chunk_size": 4},
}
LINEARS = {"mamba": {"in", "x"}, "falcon_mamba": {"in", "x"}, "mamba2": {"in"}}


def tiny(model_type: str) -> tuple[nn.Module, Backbone]:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 50, "expand": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(model_type, **shape, **ids, **SIZES[model_type])
    model = AutoModel.from_config(config).eval()
    return model, discover(model, {"mamba": FAMILY}, name="tiny")


@pytest.mark.parametrize("model_type", SIZES)
def test_sites(model_type: str) -> None:
    _, backbone = tiny(model_type)
    expected = {f"{i}.mixer.{role}" for i in range(2) for role in LINEARS[model_type]}
    whole = {f"{layer}.{kind}" for layer in range(2) for kind in ("layer", "whole_layer")}
    assert {site.name for site in backbone.sites} == expected | whole
    assert all(site.in_features == 32 for site in backbone.sites if site.role == "mixer.in")


@pytest.mark.parametrize("model_type", SIZES)
def test_every_linear_site_is_called_and_its_output_gets_a_gradient(model_type: str) -> None:
    model, backbone = tiny(model_type)
    model.requires_grad_(False)
    shifts = {}
    for site in backbone.sites:
        if site.kind == "linear":
            shifts[site.name] = torch.zeros(site.out_features, requires_grad=True)
            model.get_submodule(site.path).register_forward_hook(
                lambda module, inputs, output, shift=shifts[site.name]: output + shift
            )
    model(torch.full((2, 6), 3)).last_hidden_state.square().sum().backward()
    assert all(shift.grad is not None and shift.grad.abs().sum() > 0 for shift in shifts.values())


def test_without_the_family_a_linear_that_is_never_called_becomes_a_site() -> None:
    model, _ = tiny("mamba")
    calls: list[nn.Module] = []
    model.layers[0].mixer.dt_proj.register_forward_hook(lambda module, *_: calls.append(module))
    model(torch.full((2, 6), 3))
    assert not calls
    assert "0.other.mixer.dt_proj" in {s.name for s in discover(model, {}, name="tiny").sites}
