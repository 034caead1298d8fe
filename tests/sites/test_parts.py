"""Heads and neurons, from sites and a configuration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from autopeft import catalog
from autopeft.errors import UsageError
from autopeft.sites.discovery import discover
from autopeft.sites.parts import known_parts, with_parts
from autopeft.types import Site
from tests import tiny_models

SITES = (
    Site(0, "attention.query", "linear", "q", 16, 16),
    Site(0, "attention.output", "linear", "o", 16, 16),
    Site(0, "attention", "attention", "a", 16, 8),
)


def parts(**config: Any) -> int:
    return with_parts(SITES, SimpleNamespace(**config))[2].parts


@pytest.mark.parametrize(("architecture", "heads"), [("bert", 2), ("gpt2", 2), ("llama", 2)])
def test_heads_and_neurons_of_the_tiny_models(architecture: str, heads: int) -> None:
    model = tiny_models.frozen(architecture)
    backbone = discover(model, catalog.backbones.all(), name=architecture)
    found = {site.kind: site.parts for site in backbone.sites if site.parts}
    assert found["attention"] == heads, "of llama's four, two keys are shared by two each"
    assert found["mlp"] == {"gpt2": 64}.get(architecture, 32)
    assert set(found) == {"attention", "mlp"}
    for site in backbone.sites:
        assert not site.parts or model.get_submodule(site.reader)


def test_head_widths_come_from_the_configuration_or_are_unknown() -> None:
    assert parts(head_dim=4) == parts(d_kv=4) == 2
    assert parts(hidden_size=16, num_attention_heads=4) == 2
    assert parts(head_dim=3) == 0, "which does not divide the keys"
    assert parts(hidden_size=16, num_attention_heads=5) == 0
    assert parts(hidden_size=16, num_attention_heads=[4, 4]) == 0
    assert parts() == 0
    two = (*SITES, Site(0, "attention.output", "linear", "p", 16, 16))
    assert with_parts(two, SimpleNamespace(head_dim=4))[2].parts == 0


def test_unknown_parts_are_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"nothing of `0\.attention` can be cut") as caught:
        known_parts(SITES[2])
    assert "cut_heads" in caught.value.hint
