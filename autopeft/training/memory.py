"""Peak memory of really training one configuration alone, predicted without training it.

The real training step of a pack of one runs without data while a tape records every storage
(`memory_trace`). It is recorded a layer at a time, once for each set of module types that occurs in
a layer (`layer_recorder`), and a configuration is put together from its layers: no recording for
one that differs from those before in sizes only. What cannot be taken apart is recorded whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autopeft.errors import UsageError
from autopeft.training import optimiser_memory
from autopeft.training.cuda_memory import workspace_bytes
from autopeft.training.frozen_memory import frozen_bytes, kinds_of
from autopeft.training.layer_recorder import WITHOUT_MEMORY, Recorder
from autopeft.training.layer_stack import Content, LayerStack, Numbers, Step
from autopeft.training.live_storages import levels
from autopeft.training.memory_target import Target
from autopeft.training.optimiser_memory import OptimiserMemory
from autopeft.training.period import BLOCK, NotComposable, rounded
from autopeft.types import Backbone, Configuration, PeftModule, Placement, Task

Acting = NDArray[np.bool_]


@dataclass(frozen=True)
class Parts:
    """Peak memory in bytes, by what it is for."""

    frozen: int
    trained: int
    """Weights and buffers of the modules and of the head."""
    optimiser: int
    """Its state."""
    step: int
    """Activations, gradients and temporaries at the peak of a step."""
    workspace: int
    """Of the matrix library on a GPU."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.frozen + self.trained + self.optimiser + self.step + self.workspace


@dataclass
class MemoryModel:
    """Predicts peak memory in bytes for one backbone at one target.

    Raises (all methods that predict):
        UsageError: what the model allocates depends on its data, or grows with a square.
    """

    model: nn.Module
    backbone: Backbone
    modules: Mapping[str, PeftModule]
    head: Sequence[str]
    target: Target
    task: Task
    _whole: dict[object, Parts] = field(default_factory=dict)
    _refusal: UsageError | None = None

    def predict(self, configuration: Configuration) -> int:
        """Bytes allocated at the peak of training the configuration alone."""
        return self.parts(configuration).total

    def parts(self, configuration: Configuration) -> Parts:
        """The same by what it is for."""
        return self.all_parts(np.array([self.contents(configuration)]))[0]

    def all_parts(self, contents: Numbers) -> list[Parts]:
        """The same of many configurations, given as numbers of layer contents [N, layers]."""
        self._check_sizes(contents)
        if self._refusal is not None:
            raise self._refusal
        try:
            return self._predicted(contents)
        except UsageError as error:
            self._refusal = error
            raise

    def contents(self, configuration: Configuration) -> list[int]:
        """A number for what each layer holds; equal for equal contents."""
        placed: list[list[Placement]] = [[] for _ in self.backbone.layers]
        for placement in configuration.placements:
            placed[self.backbone.site(placement.site).layer].append(placement)
        return [self.content(layer, here) for layer, here in enumerate(placed)]

    def content(self, layer: int, placements: Sequence[Placement]) -> int:
        """The number of a layer with these placements."""
        found = []
        inside = False
        for placement in placements:
            site = self.backbone.site(placement.site)
            size = int(placement.settings[self.modules[placement.module].size])
            found.append((site.role, placement.module, size))
            inside |= site.kind != "layer"
        found.sort()
        pairs = tuple((role, module) for role, module, _ in found)
        sizes = tuple(size for _, _, size in found)
        return self._stack.number(Content(self._kinds[layer], pairs, sizes, inside))

    def recorded(self, configuration: Configuration) -> Parts:
        """A prediction from a recording of the whole model: seconds instead of microseconds."""
        key = frozenset((p.site, p.module, *p.settings.items()) for p in configuration.placements)
        if key not in self._whole:
            found = self.recorder.whole(configuration)
            trained = [rounded(t.nbytes, self.block) for t in found.pack.parameters()]
            buffers = sum(rounded(t.nbytes, self.block) for t in found.pack.buffers())
            end, most = levels(found.events, self.block)
            row = most, end, len(trained), sum(trained), max(trained, default=0), buffers
            step = Step(*(np.array([number]) for number in row))
            acting = any(self.modules[p.module].method for p in configuration.placements)
            self._whole[key] = self._parts(step, np.array([acting]))[0]
        return self._whole[key]

    def _predicted(self, contents: Numbers) -> list[Parts]:
        if self.composable:
            try:
                return self._parts(self._stack.step(contents), self._acting(contents))
            except NotComposable:
                self.composable = False
        return [self.recorded(self._configuration(row)) for row in contents.tolist()]

    def _check_sizes(self, contents: Numbers) -> None:
        """UsageError when a module grows in a way that a recording cannot tell."""
        for number in np.unique(contents).tolist():
            for _, module in self._stack.contents[number].pairs:
                if self.modules[module].square:
                    raise UsageError(
                        f"the memory of `{module}` cannot be predicted: it grows with the square "
                        f"of its {self.modules[module].size}",
                        hint=WITHOUT_MEMORY,
                    )

    def _acting(self, contents: Numbers) -> Acting:
        """Whether a training-time method acts on a configuration [N]."""
        of_content = [
            any(self.modules[module].method for _, module in content.pairs)
            for content in self._stack.contents
        ]
        return np.asarray(np.array(of_content, dtype=np.bool_)[contents].any(axis=1))

    def _parts(self, step: Step, acting: Acting) -> list[Parts]:
        workspace = workspace_bytes() if self.target.device == "cuda" else 0
        updating = step.end + self.optimiser.peak(step.count, step.trained, step.largest)
        # A method that trains some layers only is predicted as if it trained all: the lowest one
        # may always be drawn. What methods make after backward is at most a copy of the weights,
        # and what they compute for one of them. What they keep are buffers of their modules.
        updating = updating + acting * (step.trained + 2 * step.largest)
        rows = zip(
            (step.trained + step.buffers).tolist(),
            self.optimiser.state(step.trained).tolist(),
            np.maximum(step.most, updating).tolist(),
            strict=True,
        )
        return [Parts(self.frozen, *row, workspace) for row in rows]

    def _configuration(self, contents: Sequence[int]) -> Configuration:
        """A configuration with those contents of its layers."""
        placed = []
        for layer, number in enumerate(contents):
            content = self._stack.contents[number]
            for (role, module), size in zip(content.pairs, content.sizes, strict=True):
                piece = self.modules[module]
                settings = {**piece.defaults, piece.size: size}
                placed.append(Placement(f"{layer}.{role}", module, settings))
        return Configuration(tuple(placed), 1e-3)

    # --- what stays ---------------------------------------------------------------------------

    @property
    def block(self) -> int:
        """Bytes that the allocator rounds up to."""
        return BLOCK[self.target.device]

    @cached_property
    def composable(self) -> bool:
        """Whether configurations are put together from layers: fast, and many at once."""
        return len({path.rpartition(".")[0] for path in self.backbone.layers}) == 1

    @cached_property
    def recorder(self) -> Recorder:
        """Where recordings are made."""
        given = self.model, self.backbone, self.modules, self.head, self.target, self.task
        return Recorder(*given)

    @cached_property
    def frozen(self) -> int:
        """Bytes of the frozen weights."""
        return frozen_bytes(self.model, self.backbone, self.target, self.block)

    @cached_property
    def optimiser(self) -> OptimiserMemory:
        """State and peak of the optimiser."""
        return optimiser_memory.fitted(self.block)

    @cached_property
    def _stack(self) -> LayerStack:
        return LayerStack(self.recorder, self.block)

    @cached_property
    def _kinds(self) -> tuple[int, ...]:
        return kinds_of(self.model, self.backbone)
