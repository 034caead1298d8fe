"""Configurations in a few words."""

from __future__ import annotations

import pytest

from autopeft.describe import active_layers, describe
from autopeft.types import Backbone, Configuration, Placement, Site

ROLES = ("attention.query", "attention.key", "attention.value", "mlp.up")


def site(layer: int, role: str) -> Site:
    return Site(layer, role, "linear", f"layers.{layer}.{role}", 8, 8)


BACKBONE = Backbone(
    name="tiny",
    family="bert",
    layers=("layers.0", "layers.1"),
    sites=tuple(site(layer, role) for layer in range(2) for role in ROLES),
    hidden_size=8,
    parameters=1000,
)


def configuration(*placements: tuple[str, str, dict[str, int | float | bool | str]]):  # type: ignore[no-untyped-def]
    return Configuration(tuple(Placement(*placement) for placement in placements), 1e-3)


@pytest.mark.parametrize(
    ("placements", "expected"),
    [
        ([], "head only"),
        ([("0.attention.query", "lora", {"rank": 0})], "head only"),
        ([("0.mlp", "serial_adapter", {"bottleneck": 24})], "serial_adapter 24"),
        ([("0.attention", "prefix", {"length": 6, "alpha": 2})], "prefix 6"),
        ([("0.layer", "scaling", {"on": True})], "scaling"),
        ([("0.layer", "flag", {"size": True})], "flag"),
    ],
)
def test_one_module(placements: list[tuple[str, str, dict[str, int]]], expected: str) -> None:
    assert describe(configuration(*placements), BACKBONE) == expected


def test_sizes_that_vary_are_a_range_and_modules_are_sorted() -> None:
    placements = [("0.mlp", "serial_adapter", {"bottleneck": 24})]
    placements += [
        (f"{layer}.{role}", "lora", {"rank": 2 if layer else 16})
        for layer in range(2)
        for role in ROLES
    ]
    assert describe(configuration(*placements), BACKBONE) == "lora 2-16, serial_adapter 24"


def test_few_roles_are_named_in_the_order_of_the_backbone() -> None:
    placements = [(f"1.attention.{role}", "lora", {"rank": 8}) for role in ("value", "query")]
    assert describe(configuration(*placements), BACKBONE) == "lora 8 on query/value"


def test_active_layers_leave_out_modules_of_size_zero() -> None:
    found = active_layers(
        configuration(
            ("0.mlp.up", "lora", {"rank": 0}),
            ("11.mlp.up", "lora", {"rank": 4}),
            ("2.layer", "scaling", {}),
        )
    )
    assert found == {2, 11}
    assert active_layers(configuration()) == set()
