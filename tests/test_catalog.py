"""Every file of a leaf folder gives its piece; names are file names."""

from __future__ import annotations

from typing import Any

import pytest

from autopeft import catalog
from autopeft.errors import UsageError
from autopeft.types import (
    Exporter,
    Family,
    ImportanceMethod,
    Objective,
    PeftModule,
    SamplerPiece,
    Task,
    View,
)

SHELVES: dict[str, tuple[Any, type]] = {
    "modules": (catalog.modules, PeftModule),
    "backbones": (catalog.backbones, Family),
    "samplers": (catalog.samplers, SamplerPiece),
    "exporters": (catalog.exporters, Exporter),
    "importance": (catalog.importance, ImportanceMethod),
    "tasks": (catalog.tasks, Task),
    "objectives": (catalog.objectives, Objective),
    "views": (catalog.views, View),
}


@pytest.mark.parametrize("name", list(SHELVES))
def test_every_file_gives_its_piece(name: str) -> None:
    shelf, kind = SHELVES[name]
    pieces = shelf.all()
    assert pieces
    assert all(isinstance(piece, kind) for piece in pieces.values())


def test_the_shipped_pieces() -> None:
    assert {"lora", "serial_adapter", "parallel_adapter", "prefix"} <= set(catalog.modules.names())
    assert {"accuracy", "trainable_parameters", "peak_memory"} <= set(catalog.objectives.names())
    assert {"gp", "random", "nsga2", "tpe"} <= set(catalog.samplers.names())
    assert {"autopeft", "lora", "mixed", "spt"} <= set(catalog.spaces.names())
    assert "spt" in catalog.importance.names()


def test_an_unknown_name_is_explained() -> None:
    with pytest.raises(UsageError, match="unknown objective `acuracy`") as caught:
        catalog.objectives.load("acuracy")
    assert caught.value.hint == "did you mean `accuracy`?"
    with pytest.raises(UsageError) as caught:
        catalog.objectives.load("zzz")
    assert "accuracy" in caught.value.hint


def test_the_spaces_of_the_catalog_parse() -> None:
    for name in catalog.spaces.names():
        assert catalog.spaces.load(name).name == name
