"""The module contract on the tiny models."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autopeft import catalog
from autopeft.sites.discovery import discover
from autopeft.testing import ModuleContract
from autopeft.types import Backbone
from tests import tiny_models


class TinyModule(ModuleContract):
    """Run for every architecture that a test class is parametrised with."""

    @pytest.fixture(autouse=True)
    def _architecture(self, architecture: str) -> None:
        self.architecture = architecture

    def model(self) -> Any:
        return tiny_models.frozen(self.architecture)

    def discovered(self, model: Any) -> Backbone:
        return discover(model, catalog.backbones.all(), name=self.architecture)

    def batch(self) -> dict[str, Any]:
        ids = torch.arange(1, 13).view(2, 6)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
