"""Prices of configurations added up layer by layer, equal to counting each of them whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autopeft.evaluate import Evaluator
from autopeft.optimiser.problem import Price
from autopeft.training.saved_bytes import STATE_BYTES
from autopeft.types import Configuration, Measured, Objective, Outcome, Placement

NOTHING = Configuration((), 0.0)


class Prices:
    """Counts and predicted memory for the known objectives of a study.

    A layer contributes its parameters, its parameters as published, and the bytes that autograd
    saves in it: when it is the lowest adapted layer, and when a lower one is adapted too.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        known: Sequence[Objective],
        *,
        parameters: int,
        memory: float,
    ) -> None:
        """Prices under a limit of PEFT parameters and a limit of bytes."""
        self._evaluator = evaluator
        self._known = known
        self._limits = parameters, memory
        self._weighs = math.isfinite(memory) or any(o.stage == "probe" for o in known)

    def of_layer(self, layer: int, placements: Sequence[Placement]) -> tuple[float, ...]:
        """Parameters, published parameters, and bytes as lowest and as entered layer."""
        evaluator = self._evaluator
        counts = [
            evaluator.modules[p.module].count(evaluator.backbone.site(p.site), p.settings)
            for p in placements
        ]
        placed = [(p.site.partition(".")[2], p) for p in placements]
        memory = evaluator.memory
        return (
            sum(count.parameters for count in counts),
            sum(count.published for count in counts),
            memory.layer_bytes(False, placed) if self._weighs and placed else 0,
            memory.layer_bytes(True, placed) if self._weighs else 0,
        )

    def total(self, layers: Sequence[int], parts: NDArray[np.float64]) -> list[Price]:
        """Prices of configurations; `parts` has shape m x layers x 4."""
        trained, published = parts[:, :, 0].sum(axis=1), parts[:, :, 1].sum(axis=1)
        needed = self._memory(layers, parts) if self._weighs else 0 * trained
        rows = zip(trained.tolist(), published.tolist(), needed.tolist(), strict=True)
        return [self._price(*map(round, row)) for row in rows]

    def _price(self, trained: int, published: int, needed: int) -> Price:
        allowed, memory = self._limits
        if not 0 < trained <= allowed or needed > memory:
            return Price((), 0.0, False)
        measurements = {
            **self._constant,
            "trainable": Measured(trained),
            "published": Measured(published),
            "memory_predicted": Measured(needed),
        }
        outcome = Outcome(NOTHING, measurements)
        costs = tuple(objective.value(outcome).value for objective in self._known)
        return Price(costs, trained, True)

    def _memory(self, layers: Sequence[int], parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bytes at the peak of training; of a configuration without modules, anything."""
        evaluator = self._evaluator
        trained, lowest, entered = parts[:, :, 0], parts[:, :, 2], parts[:, :, 3]
        rows, first = np.arange(len(parts)), (trained > 0).argmax(axis=1)
        above = np.arange(len(layers)) > first[:, None]
        saved = lowest[rows, first] + (entered * above).sum(axis=1)
        bare = self._bare
        bare = bare * ~np.isin(np.arange(len(bare)), layers)
        below = np.array(layers)[first, None] < np.arange(len(bare))
        saved = saved + (bare * below).sum(axis=1) + evaluator.memory.outside_bytes(True)
        held = evaluator.backbone.head_parameters + trained.sum(axis=1)
        total: NDArray[np.float64] = evaluator.memory.frozen_bytes + STATE_BYTES * held + saved
        return total

    @cached_property
    def _bare(self) -> NDArray[np.float64]:
        """Bytes saved by every layer of the backbone when nothing is placed in it."""
        evaluator = self._evaluator
        return np.full(len(evaluator.backbone.layers), evaluator.memory.layer_bytes(True, ()))

    @cached_property
    def _constant(self) -> Mapping[str, Measured]:
        """Measurements of a configuration that places nothing."""
        return self._evaluator.before_training(NOTHING).measurements


def prices(
    evaluator: Evaluator, known: Sequence[Objective], *, parameters: int, memory: float
) -> Prices | None:
    """Prices by layer, or None where layers are no single stack: memory does not add up."""
    if len({path.rsplit(".", 1)[0] for path in evaluator.backbone.layers}) > 1:
        return None
    return Prices(evaluator, known, parameters=parameters, memory=memory)
