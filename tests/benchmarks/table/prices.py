"""Parameters and peak memory of configurations of a table's backbone, whole and by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from autopeft import catalog, checkpoint
from autopeft.optimiser.problem import Price
from autopeft.training.memory import MemoryModel
from autopeft.training.memory_target import Target
from autopeft.types import Backbone, Configuration, Placement
from autopeft.workbench import backbone_of


class Prices:
    """Counted parameters, and memory as the model that also filled the table predicts it."""

    def __init__(self, backbone: Backbone, limit: float, memory: MemoryModel | None = None) -> None:
        """Prices under a limit of parameters; without a memory model they are parameters only."""
        self.backbone, self.limit, self.memory = backbone, limit, memory
        self.modules = catalog.modules.all()

    def of_layer(self, layer: int, placements: Sequence[Placement]) -> tuple[float, ...]:
        """Parameters of a layer, and the number that stands for its content."""
        content = self.memory.content(layer, placements) if self.memory else 0
        return self.parameters(placements), content

    def total(self, layers: Sequence[int], parts: np.ndarray) -> list[Price]:
        """Prices of configurations from their layers."""
        costs = [parts[:, :, 0].sum(axis=1).tolist()]
        if self.memory:
            nothing = self.memory.contents(Configuration((), 0.0))
            contents = np.repeat(np.array([nothing], dtype=np.int64), len(parts), axis=0)
            contents[:, list(layers)] = parts[:, :, 1]
            costs.append([float(found.total) for found in self.memory.all_parts(contents)])
        return [self._price(row) for row in zip(*costs, strict=True)]

    def of(self, configuration: Configuration) -> Price:
        """The price of one configuration."""
        parameters = self.parameters(configuration.placements)
        memory = [float(self.memory.predict(configuration))] if self.memory else []
        return self._price((parameters, *memory))

    def parameters(self, placements: Sequence[Placement]) -> float:
        """Trained parameters of the modules."""
        return float(sum(map(self._count, placements)))

    def _count(self, placement: Placement) -> float:
        site = self.backbone.site(placement.site)
        return float(self.modules[placement.module].count(site, placement.settings).parameters)

    def _price(self, costs: tuple[float, ...]) -> Price:
        return Price(costs, costs[0], 0 < costs[0] <= self.limit)


@lru_cache(maxsize=4)
def memory_model(task_name: str, model: str, outputs: int, target: Target) -> MemoryModel:
    """Predicts memory as it was predicted for the table, on the same backbone.

    Args:
        task_name: of `autopeft.tasks`.
        model: hub id or folder; empty for the quickstart model.
        outputs: width of the head.
        target: the training that memory is stated for.
    """
    task = catalog.tasks.load(task_name)
    loaded = checkpoint.load(model, architecture=task.architecture, outputs=outputs, offline=True)
    target = replace(target, inputs=tuple(loaded.tokenizer.model_input_names))
    modules = catalog.modules.all()
    return MemoryModel(loaded.model, backbone_of(loaded), modules, loaded.head, target, task)
