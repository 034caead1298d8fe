"""What is shipped: methods as the plain LoRA they have become, all else as it is."""

from __future__ import annotations

import torch

from autopeft import catalog
from autopeft.adapters import shipping
from autopeft.types import Configuration, Placement

MODULES = catalog.modules.all()
ADALORA = Placement("0.mlp.up", "adalora", {"rank": 3, "scaling": 4.0, "live": 0.5})
PLAIN = Placement("0.mlp.up", "lora", {"rank": 1, "scaling": 2.0})
PREFIX = Placement("0.attention", "prefix", {"length": 2})


def tensors(live: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    energy = torch.zeros(3)
    energy[:live] = 2.0
    shapes = {"adalora:A": (3, 4), "adalora:B": (5, 3), "lora:A": (1, 4), "lora:B": (5, 1)}
    drawn = {f"0.mlp.up:{n}": torch.randn(s, generator=generator) for n, s in shapes.items()}
    head = {"head:classifier.weight": torch.ones(2, 2)}
    return {**head, **drawn, "0.mlp.up:adalora:E": energy, "0.attention:prefix:keys": torch.ones(2)}


def test_nothing_changes_without_a_method() -> None:
    configuration = Configuration((PLAIN, PREFIX), 1e-3)
    found = shipping.shipped(configuration, tensors(2), MODULES)
    assert found[0] is configuration
    assert found[1].keys() == tensors(2).keys()
    assert not shipping.changes(configuration, MODULES)


def test_live_directions_become_a_lora() -> None:
    given = tensors(2)
    del given["0.mlp.up:lora:A"], given["0.mlp.up:lora:B"]
    configuration, found = shipping.shipped(Configuration((ADALORA, PREFIX), 1e-3), given, MODULES)
    settings = {"rank": 2, "scaling": 4.0}
    assert configuration.placements == (PREFIX, Placement("0.mlp.up", "lora", settings))
    assert sorted(found) == [
        *("0.attention:prefix:keys", "0.mlp.up:lora:A", "0.mlp.up:lora:B"),
        "head:classifier.weight",
    ]
    assert found["0.mlp.up:lora:B"].equal(2 * given["0.mlp.up:adalora:B"][:, :2])


def test_a_lora_beside_it_is_joined_to_it() -> None:
    given = tensors(2)
    configuration, found = shipping.shipped(Configuration((PLAIN, ADALORA), 1e-3), given, MODULES)
    assert configuration.placements[0].settings == {"rank": 3, "scaling": 2.0}
    a, b, e = (given[f"0.mlp.up:adalora:{name}"] for name in "ABE")
    update = 2 * given["0.mlp.up:lora:B"] @ given["0.mlp.up:lora:A"] + 4 * (b * e) @ a
    torch.testing.assert_close(2 * found["0.mlp.up:lora:B"] @ found["0.mlp.up:lora:A"], update)


def test_a_site_whose_last_rank_was_cut_has_none() -> None:
    given = {n: t for n, t in tensors(0).items() if ":lora:" not in n}
    configuration, found = shipping.shipped(Configuration((ADALORA,), 1e-3), given, MODULES)
    assert configuration.placements == ()
    assert not any(name.startswith("0.mlp.up") for name in found)
