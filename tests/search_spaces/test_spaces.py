"""The contract of every shipped search space that needs no importance scores."""

from __future__ import annotations

import numpy as np

from autopeft import catalog
from autopeft.search.design import project
from autopeft.sites.discovery import discover
from autopeft.space.expansion import expand
from autopeft.testing import SpaceContract
from autopeft.types import Backbone, Configuration, Placement
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


class TestDas(_Tiny):
    name = "das"

    def test_a_point_is_what_its_layers_are(self) -> None:
        """Also with too many layers to try every state of each, and for what it cannot express."""
        model = tiny_models.frozen("bert", layers=12)
        backbone = discover(model, catalog.backbones.all(), name="bert")
        space = expand(catalog.spaces.load("das"), backbone, catalog.modules.all())
        rng = np.random.default_rng(0)
        for _ in range(20):
            point = space.random(rng)
            values = space.values(point)
            modules = {p.site.split(".")[0]: p.module for p in space.decode(point).placements}
            states = {"lora": "tuned", "skip": "skipped", "": "frozen"}
            for layer in range(12):
                assert values[f"state[{layer}]"] == states[modules.get(str(layer), "")]
            assert space.encode(space.decode(point)) == point
        strange = Placement("11.mlp.up", "lora", {"rank": 3, "scaling": 2.0})
        assert space.encode(Configuration((strange,), 1e-3)) is None

    def test_a_configuration_is_projected_with_its_states(self) -> None:
        """A rank that the space lacks becomes the nearest; what is skipped stays skipped."""
        space = expand(catalog.spaces.load("das"), self.backbone(), catalog.modules.all())
        lora = Placement("0.mlp.up", "lora", {"rank": 5, "scaling": 2.0})
        skip = Placement("2.whole_layer", "skip", {"bottleneck": 3, "scaling": 1.0})
        found = space.values(project(space, Configuration((lora, skip), 1e-3)))
        assert [found[f"state[{i}]"] for i in range(3)] == ["tuned", "frozen", "skipped"]
        assert found["skip.bottleneck[2]"] == 2
