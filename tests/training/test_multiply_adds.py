"""Multiply-adds: against hand counts, and against torch's counter on what really runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autopeft import catalog
from autopeft.training.multiply_adds import MultiplyAdds, _counter
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models
from tests.training.test_pack import Job, Pack, build

MODULES = catalog.modules.all()
LENGTH, WIDTH, INNER = 10, 16, 32
LAYER = LENGTH * (4 * WIDTH**2 + 2 * WIDTH * INNER) + 2 * LENGTH**2 * WIDTH


def counted(architecture: str, head: str = "score") -> tuple[Any, Backbone, MultiplyAdds]:
    model, backbone = build(architecture, torch.float32)
    return model, backbone, MultiplyAdds(model, backbone, MODULES, (head,), LENGTH)


def placed(backbone: Backbone, module: str, size: int, layer: int = 1) -> tuple[Placement, ...]:
    piece = MODULES[module]
    settings = {**piece.defaults, piece.size: size}
    sites = (s for s in backbone.sites if s.kind == piece.kind and s.layer == layer)
    return tuple(Placement(site.name, module, settings) for site in sites)


def run(model: Any, backbone: Backbone, placements: tuple[Placement, ...]) -> int:
    """Multiply-adds of the second pass of a pack of one, head and all."""
    ids = torch.ones(1, LENGTH, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[0, -1] = 0
    pack = Pack(
        model, backbone, [Job(Configuration(placements, 1e-3), 0)], modules=MODULES, head=()
    )
    with pack.attached(model), torch.no_grad():
        model(input_ids=ids, attention_mask=mask)
        with _counter() as counter:
            model(input_ids=ids, attention_mask=mask)
    return int(counter.get_total_flops()) // 2


def test_bert_by_hand() -> None:
    _, backbone, found = counted("bert", "classifier")
    assert found.frozen == 3 * LAYER + WIDTH**2, "and the pooler, for one token"
    assert found.of_site(backbone.site("1.whole_layer")) == LAYER
    assert found.of_site(backbone.site("1.mlp")) == 2 * LENGTH * WIDTH * INNER
    attention = found.of_site(backbone.site("1.attention"))
    assert attention == LAYER - 2 * LENGTH * WIDTH * INNER
    assert found.of_site(backbone.site("1.mlp.up")) == LENGTH * WIDTH * INNER
    assert found.of_site(backbone.site("1.layer")) == 0


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
@pytest.mark.parametrize("module", ["skip", "serial_adapter", "prefix"])
def test_what_is_not_merged_is_what_runs(architecture: str, module: str) -> None:
    model, backbone, found = counted(architecture)
    placements = placed(backbone, module, 3)
    # The bias of an adapter is one more column of its matrix as it runs in a pack.
    columns = 0 if module == "prefix" else LENGTH * WIDTH
    change = run(model, backbone, placements) - run(model, backbone, ())
    assert found.change(placements) == change - columns
    whole = found.of_site(backbone.site("1.whole_layer"))
    assert (found.change(placements) == 2 * 3 * WIDTH * LENGTH - whole) == (module == "skip")


def test_modules_by_hand_and_merged_ones_and_those_of_size_0() -> None:
    _, backbone, found = counted("bert")
    assert found.change(placed(backbone, "lora", 4)) == 0
    assert found.change(placed(backbone, "adalora", 4)) == 0
    assert found.change(placed(backbone, "skip", 0)) == 0
    assert found.change(placed(backbone, "parallel_adapter", 4)) == 2 * 4 * WIDTH * LENGTH
    assert found.change(()) == 0


def test_what_skips_a_share_counts_as_a_share() -> None:
    _, backbone, found = counted("bert")
    both = [found.change(placed(backbone, name, 4)) for name in ("das", "skip")]
    assert both[0] == round(0.25 * both[1])
