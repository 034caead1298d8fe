"""Configurations in a few words."""

from __future__ import annotations

import pytest

from autopeft.describe import active_layers, as_shipped, describe, shown_as
from autopeft.types import (
    Backbone,
    Configuration,
    Measured,
    Placement,
    Site,
    TrialRecord,
    TrialState,
)

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


HELD = configuration(("0.mlp.up", "adalora", {"rank": 4, "scaling": 2.0, "live": 0.5}))
SHIPPED = [{"site": "0.mlp.up", "module": "lora", "settings": {"rank": 1, "scaling": 2.0}}]


def trial(state: TrialState, *, measured: bool, recorded: bool) -> TrialRecord:
    return TrialRecord(
        number=0,
        state=state,
        origin="model",
        configuration=HELD,
        objectives={},
        feasible=True,
        point={},
        measurements={"shipped": Measured(16.0)} if measured else {},
        provenance={"shipped": SHIPPED} if recorded else {},
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (trial("complete", measured=True, recorded=True), "as shipped"),
        (trial("complete", measured=True, recorded=False), "as held while training"),
        (trial("stopped", measured=False, recorded=False), "as held while training"),
        (trial("complete", measured=False, recorded=False), ""),
    ],
)
def test_what_ships_is_shown_where_it_is_recorded_and_it_is_said_which(
    given: TrialRecord, words: str
) -> None:
    recorded = configuration(("0.mlp.up", "lora", {"rank": 1, "scaling": 2.0}))
    assert as_shipped(given) == (recorded if words == "as shipped" else HELD)
    assert shown_as(given) == words
