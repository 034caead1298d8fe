"""Memory of really training one configuration alone: predicted by accounting, or measured.

Predicted = frozen weights + trained weights with gradient and two Adam moments + every tensor that
autograd saves for the backward pass. What a layer saves depends on which modules are in it and on
whether a gradient flows into it, and grows linearly with rows and module sizes; each such case is
read once from a real forward pass and kept, so that predicting a configuration costs microseconds.
Temporaries of single kernels are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from autopeft.training.pack import Job, Pack
from autopeft.training.saved_bytes import STATE_BYTES
from autopeft.types import Backbone, Configuration, PeftModule, Placement, Task

OUTSIDE = -1
"""Stands for everything above the layers: pooling, head and loss."""
PROBE_ROWS = (2, 4)

Signature = tuple[bool, frozenset[tuple[str, str]]]
"""Whether a gradient flows into the layer, and the (role, module type) pairs in it."""


@dataclass(frozen=True)
class Shape:
    """The batch that memory is stated for."""

    rows: int
    length: int


@dataclass
class MemoryModel:
    """Predicts peak memory in bytes for one backbone at one batch shape."""

    model: nn.Module
    backbone: Backbone
    modules: Mapping[str, PeftModule]
    head: Sequence[str]
    shape: Shape
    _layers: dict[Signature, int] = field(default_factory=dict)
    _slopes: dict[tuple[str, str, bool], float] = field(default_factory=dict)
    _outside: dict[bool, int] = field(default_factory=dict)
    frozen_bytes: int = 0

    def __post_init__(self) -> None:
        self.frozen_bytes = sum(p.numel() * p.element_size() for p in self.model.parameters())

    def predict(self, configuration: Configuration) -> int:
        """Bytes at the peak of training the configuration alone."""
        trained = self.backbone.head_parameters + sum(
            self.modules[p.module].count(self.backbone.site(p.site), p.settings).parameters
            for p in configuration.placements
        )
        return self.frozen_bytes + STATE_BYTES * trained + self.saved(configuration)

    def saved(self, configuration: Configuration) -> int:
        """Bytes that autograd saves for the backward pass."""
        if len({path.rsplit(".", 1)[0] for path in self.backbone.layers}) > 1:
            return sum(self._probe(configuration).values())
        by_layer: dict[int, list[tuple[str, Placement]]] = {}
        for placement in configuration.placements:
            index, _, role = placement.site.partition(".")
            by_layer.setdefault(int(index), []).append((role, placement))
        lowest = min(by_layer, default=len(self.backbone.layers))
        total = self.outside_bytes(lowest < len(self.backbone.layers))
        for layer in range(lowest, len(self.backbone.layers)):
            total += self.layer_bytes(layer > lowest, by_layer.get(layer, ()))
        return total

    def layer_bytes(self, entered: bool, placed: Sequence[tuple[str, Placement]]) -> int:
        """Bytes saved by a layer with these (role, placement) pairs; entered by a gradient?"""
        signature = (entered, frozenset((role, p.module) for role, p in placed))
        if signature not in self._layers:
            self._learn(signature[1])
        extra = sum(
            self._slope(role, p.module, entered)
            * (int(p.settings[self.modules[p.module].size]) - 1)
            for role, p in placed
        )
        return self._layers[signature] + round(extra)

    def outside_bytes(self, entered: bool) -> int:
        """Bytes saved above the layers, with or without a gradient that flows into them."""
        if entered not in self._outside:
            top = self.backbone.sites[-1]
            placed = [(top.role, _module_for(top.kind, self.modules))] if entered else []
            probed = self._probe(self._everywhere(dict.fromkeys(placed, 1)))
            self._outside[entered] = probed[OUTSIDE]
        return self._outside[entered]

    def _learn(self, pairs: frozenset[tuple[str, str]]) -> None:
        """Probe the modules in every layer: the first layer is not entered, the second is."""
        marker = {} if pairs else {self._marker(): 1}
        probed = self._probe(self._everywhere(dict.fromkeys(pairs, 1), bottom=marker))
        if pairs:
            self._layers[False, pairs] = probed[0]
        self._layers[True, pairs] = probed.get(1, probed[0])

    def _slope(self, role: str, module: str, entered: bool) -> float:
        """Bytes per unit of size."""
        key = (role, module, entered)
        if key not in self._slopes:
            small, large = (
                self._probe(self._everywhere({(role, module): size})) for size in (1, 9)
            )
            for flag, layer in ((False, 0), (True, min(1, len(self.backbone.layers) - 1))):
                self._slopes[role, module, flag] = (large[layer] - small[layer]) / 8
        return self._slopes[key]

    def _marker(self) -> tuple[str, str]:
        """A module on the output of the bottom layer, so that a gradient enters the next."""
        site = next(s for s in self.backbone.sites if s.kind == "layer")
        return site.role, _module_for("layer", self.modules)

    def _everywhere(
        self,
        sizes: Mapping[tuple[str, str], int],
        *,
        bottom: Mapping[tuple[str, str], int] | None = None,
    ) -> Configuration:
        """The modules in every layer, and those of `bottom` in the lowest one."""
        placements = []
        for site in self.backbone.sites:
            for (role, module), size in {**sizes, **(bottom or {})}.items():
                wanted = (role, module) in sizes or site.layer == 0
                if site.role == role and wanted:
                    piece = self.modules[module]
                    settings = {**piece.defaults, piece.size: size}
                    placements.append(Placement(site.name, module, settings))
        return Configuration(tuple(placements), 1e-3)

    def _probe(self, configuration: Configuration) -> dict[int, int]:
        """Bytes saved by layer index at the stated rows, extrapolated from two small batches."""
        small, large = (self._saved_by_layer(configuration, rows) for rows in PROBE_ROWS)
        few, many = PROBE_ROWS
        return {
            layer: round(
                small.get(layer, 0)
                + (large.get(layer, 0) - small.get(layer, 0))
                / (many - few)
                * (self.shape.rows - few)
            )
            for layer in (*range(len(self.backbone.layers)), OUTSIDE)
        }

    def _saved_by_layer(self, configuration: Configuration, rows: int) -> dict[int, int]:
        pack = Pack(
            self.model, self.backbone, [Job(configuration, 0)], modules=self.modules, head=self.head
        )
        meter = _Meter(self.model, self.backbone, pack)
        device = next(self.model.parameters()).device
        ids = torch.ones((rows, self.shape.length), dtype=torch.long, device=device)
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        with pack.attached(self.model), meter.attached():
            logits = pack.logits(self.model, batch)
            target = torch.zeros(rows, dtype=torch.long, device=device)
            nn.functional.cross_entropy(logits[0].float(), target)
        return meter.bytes


class _Meter:
    """Counts the storages that autograd saves, once each, by the layer that is running."""

    def __init__(self, model: nn.Module, backbone: Backbone, pack: Pack) -> None:
        self.bytes: dict[int, int] = {}
        self._layers = [model.get_submodule(path) for path in backbone.layers]
        parameters = [*model.parameters(), *model.buffers(), *pack.parameters(), *pack.buffers()]
        self._seen = {p.untyped_storage().data_ptr() for p in parameters}
        self._kept: list[torch.Tensor] = []
        self._layer = OUTSIDE

    def attached(self) -> Any:
        """A context in which saved tensors are counted."""
        stack = ExitStack()
        for index, layer in enumerate(self._layers):
            opened = layer.register_forward_pre_hook(self._open(index), with_kwargs=True)
            closed = layer.register_forward_hook(self._close)
            stack.callback(opened.remove)
            stack.callback(closed.remove)
        stack.enter_context(torch.autograd.graph.saved_tensors_hooks(self._save, _identity))
        return stack

    def _open(self, index: int) -> Any:
        def note(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            shared = [*args[1:], *(v for k, v in kwargs.items() if k != "hidden_states")]
            self._share(shared)
            self._layer = index

        return note

    def _close(self, *_: Any) -> None:
        self._layer = OUTSIDE

    def _share(self, given: Sequence[Any]) -> None:
        """Masks and positions serve every layer: they count once, and as outside."""
        for value in given:
            if isinstance(value, (tuple, list)):
                self._share(value)
            elif isinstance(value, torch.Tensor):
                self._save(value)

    def _save(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self._kept.append(tensor.detach())
            self.bytes[self._layer] = self.bytes.get(self._layer, 0) + storage.nbytes()
        return tensor


def _identity(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _module_for(kind: str, modules: Mapping[str, PeftModule]) -> str:
    return next(name for name, piece in sorted(modules.items()) if piece.kind == kind)


def measure(
    model: nn.Module, pack: Pack, task: Task, *, shape: Shape, steps: int = 3
) -> tuple[int, int]:
    """Bytes allocated and reserved at the peak of a few real steps on a CUDA device.

    Args:
        model: the frozen base, on the device.
        pack: one job.
        task: its loss.
        shape: rows and length of the batch.
        steps: optimiser steps; the moments exist from the first on.
    """
    from autopeft.training.packed_adamw import PackedAdamW

    device = next(model.parameters()).device
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    optimiser = PackedAdamW(list(pack.parameters()), torch.zeros(pack.count, device=device))
    ids = torch.ones((shape.rows, shape.length), dtype=torch.long, device=device)
    labels = torch.zeros(shape.rows, dtype=torch.long, device=device)
    with pack.attached(model):
        for _ in range(steps):
            logits = pack.logits(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
            task.loss(logits, labels).sum().backward()
            optimiser.step()
    return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
