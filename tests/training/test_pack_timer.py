"""Timed packs run, and what they show of memory does not depend on how many there are."""

from __future__ import annotations

from functools import partial

import pytest

from autopeft import catalog
from autopeft.training.pack import Pack
from autopeft.training.pack_timer import timer
from tests.training.test_pack import build, head_of
from tests.training.test_trunk_cache import split


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_a_probe_states_one_configuration(name: str) -> None:
    model, backbone = build(name)
    modules = catalog.modules.all()
    step = timer(
        model,
        partial(Pack, model, backbone, modules=modules, head=head_of(model)),
        backbone=backbone,
        modules=modules,
        task=catalog.tasks.load("text_classification"),
        split=split("train", 10),
        rows=4,
    )
    one, three, top = step(0, 1, 2), step(0, 3, 2), step(3, 1, 2)
    assert one.parameters == three.parameters == step(0, 1, 4).parameters // 2
    assert three.memory == pytest.approx(one.memory, rel=0.2)
    assert top.parameters == 0
    assert 0 < top.memory < one.memory / 2
