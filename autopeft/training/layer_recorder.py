"""Recordings of what one step allocates in single layers, made without data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from torch import nn

from autopeft.errors import UsageError
from autopeft.training import meta_model
from autopeft.training.layer_memory import (
    LayerMemory,
    Surroundings,
    layer_memory,
    surroundings,
)
from autopeft.training.live_storages import DependsOnData
from autopeft.training.memory_target import Target
from autopeft.training.memory_trace import Trace, trace
from autopeft.training.meta_kernels import MetaKernels
from autopeft.training.meta_model import MetaModel
from autopeft.training.period import telling_sizes
from autopeft.types import Backbone, Configuration, PeftModule, Placement, Task

MARKER_SIZE = 8
KERNELS = MetaKernels()
"""Shapes of results are the same for all models."""
WITHOUT_MEMORY = (
    "name objectives without peak_memory, such as `--objective accuracy --objective "
    "trainable_parameters`, and leave out `--memory`"
)
REFUSALS = (NotImplementedError, DependsOnData)

Pairs = tuple[tuple[str, str], ...]
"""(role, module type) of each module in a layer, sorted."""


class Position(IntEnum):
    """Where a layer is to the lowest one that a configuration changes."""

    TRUNK = 0
    TRUNK_END = 1
    ENTRY = 2
    ENTERED = 3
    """By a gradient from below."""


@dataclass(frozen=True)
class Key:
    """What a layer's memory depends on, but for the sizes of its modules."""

    kind: int
    """Index of the first layer that is built alike."""
    position: Position
    pairs: Pairs


@dataclass
class Recorder:
    """Records the real training step of one model at one target."""

    model: nn.Module
    backbone: Backbone
    modules: Mapping[str, PeftModule]
    head: Sequence[str]
    target: Target
    task: Task
    _short: dict[tuple[int, ...], MetaModel] = field(default_factory=dict)
    _bare: dict[int, Trace] = field(default_factory=dict)

    def layer(self, key: Key) -> LayerMemory:
        """Record the layer that the key describes.

        Raises:
            UsageError: what the model allocates depends on its data.
            NotComposable: layers cannot be told apart.
        """
        if not key.pairs and key.position in (Position.TRUNK, Position.TRUNK_END):
            index = 1 if key.position == Position.TRUNK else 2
            return layer_memory(self._untouched(key.kind), index)
        settings = telling_sizes(len(key.pairs))
        placed = [self._placed(1, p, size) for p, size in zip(key.pairs, settings, strict=True)]
        below = [self._marker(0)] if key.position == Position.ENTERED else []
        return layer_memory(self._short_trace([key.kind] * 2, [*below, *placed]), 1)

    def around(self, kind: int, entered: bool) -> Surroundings:
        """Record what is outside the layers, with or without a gradient into the last one."""
        if not entered:
            return surroundings(self._untouched(kind))
        return surroundings(self._short_trace([kind] * 2, [self._marker(1)]))

    def whole(self, configuration: Configuration) -> Trace:
        """Record all layers at once."""
        made = self._cut(tuple(range(len(self.backbone.layers))))
        return self._trace(made, configuration)

    def _untouched(self, kind: int) -> Trace:
        if kind not in self._bare:
            self._bare[kind] = self._short_trace([kind] * 3, [])
        return self._bare[kind]

    def _short_trace(self, layers: Sequence[int], placed: Sequence[Placement]) -> Trace:
        return self._trace(self._cut(tuple(layers)), Configuration(tuple(placed), 1e-3))

    def _cut(self, layers: tuple[int, ...]) -> MetaModel:
        if layers not in self._short:
            given = self.model, self.backbone, self.target
            every = layers == tuple(range(len(self.backbone.layers)))
            self._short[layers] = (
                meta_model.whole(*given) if every else meta_model.repeated(*given, layers=layers)
            )
        return self._short[layers]

    def _trace(self, made: MetaModel, configuration: Configuration) -> Trace:
        try:
            return trace(
                made,
                configuration,
                self.target,
                modules=self.modules,
                head=self.head,
                task=self.task,
                kernels=KERNELS,
            )
        except REFUSALS as error:
            raise UsageError(
                f"the memory of `{self.backbone.name}` cannot be predicted: what its layers "
                "allocate depends on the data, as with routed experts",
                hint=WITHOUT_MEMORY,
            ) from error

    def _marker(self, layer: int) -> Placement:
        """A module on the output of a layer: nothing inside the layer has a gradient."""
        site = next(s for s in self.backbone.sites if s.kind == "layer")
        module = next(name for name, m in sorted(self.modules.items()) if m.kind == "layer")
        return self._placed(layer, (site.role, module), MARKER_SIZE)

    def _placed(self, layer: int, pair: tuple[str, str], size: int) -> Placement:
        role, module = pair
        piece = self.modules[module]
        return Placement(f"{layer}.{role}", module, {**piece.defaults, piece.size: size})
