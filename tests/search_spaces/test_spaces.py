"""The contract of every shipped search space that needs no importance scores."""

from __future__ import annotations

from autopeft import catalog
from autopeft.discovery import discover
from autopeft.testing import SpaceContract
from autopeft.types import Backbone
from tests import tiny_models


class _Tiny(SpaceContract):
    def backbone(self) -> Backbone:
        return discover(tiny_models.frozen("bert"), catalog.backbones.all(), name="bert")


class TestLora(_Tiny):
    name = "lora"


class TestMixed(_Tiny):
    name = "mixed"


class TestAutopeft(_Tiny):
    name = "autopeft"


class TestSpt(_Tiny):
    name = "spt"


class TestAdalora(_Tiny):
    name = "adalora"


class TestDylora(_Tiny):
    name = "dylora"


class TestDiffora(_Tiny):
    name = "diffora"


class TestIst(_Tiny):
    name = "ist"


class TestImportance(_Tiny):
    name = "importance"


class TestEverything(_Tiny):
    name = "everything"


class TestMoving(_Tiny):
    name = "moving"


class TestLightPeft(_Tiny):
    name = "light_peft"
