"""Prices of configurations added up layer by layer, equal to counting each of them whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autopeft.evaluate import Evaluator
from autopeft.optimiser.problem import Price
from autopeft.types import Configuration, Measured, Objective, Outcome, Placement

NOTHING = Configuration((), 0.0)


class Prices:
    """Counts and predicted memory for the known objectives of a study.

    A layer contributes its parameters, its parameters as published, what the memory model needs to
    put it together with the others, and multiply-adds.
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
        """Parameters, published ones, the number that stands for the content, multiply-adds."""
        evaluator = self._evaluator
        counts = [
            evaluator.modules[p.module].count(evaluator.backbone.site(p.site), p.settings)
            for p in placements
        ]
        return (
            sum(count.parameters for count in counts),
            sum(count.published for count in counts),
            evaluator.memory.content(layer, placements),
            evaluator.compute.change(placements) if evaluator.compute else 0,
        )

    def total(self, layers: Sequence[int], parts: NDArray[np.float64]) -> list[Price]:
        """Prices of configurations; `parts` has shape m x layers x 4."""
        trained, published, added = (parts[:, :, i].sum(axis=1) for i in (0, 1, 3))
        needed = np.zeros(len(parts), dtype=np.int64)
        # Over the budget the memory decides nothing, and a new content takes long to predict.
        within = (trained > 0) & (trained <= self._limits[0])
        if self._weighs and within.any():
            needed[within] = self._memory(layers, parts[within, :, 2])
        columns = trained, published, needed, added
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [self._price(*map(round, row)) for row in rows]

    def _price(self, trained: int, published: int, needed: int, added: int) -> Price:
        allowed, memory = self._limits
        if not 0 < trained <= allowed or needed > memory:
            return Price((), 0.0, False)
        measurements = {
            **self._constant,
            "trainable": Measured(trained),
            "published": Measured(published),
            "memory_predicted": Measured(needed),
        }
        if "multiply_adds" in measurements:
            frozen = measurements["multiply_adds_frozen"].value
            measurements["multiply_adds"] = Measured(frozen + added)
        outcome = Outcome(NOTHING, measurements)
        costs = tuple(objective.value(outcome).value for objective in self._known)
        return Price(costs, trained, True)

    def _memory(self, layers: Sequence[int], contents: NDArray[np.float64]) -> list[int]:
        """Bytes at the peak of training."""
        whole = np.repeat(self._bare[None], len(contents), axis=0)
        whole[:, layers] = contents
        return [parts.total for parts in self._evaluator.memory.all_parts(whole)]

    @cached_property
    def _bare(self) -> NDArray[np.int64]:
        """Every layer of the backbone with nothing placed in it."""
        memory = self._evaluator.memory
        return np.array(memory.contents(NOTHING), dtype=np.int64)

    @cached_property
    def _constant(self) -> Mapping[str, Measured]:
        """Measurements of a configuration that places nothing."""
        return self._evaluator.before_training(NOTHING).measurements


def prices(
    evaluator: Evaluator, known: Sequence[Objective], *, parameters: int, memory: float
) -> Prices | None:
    """Prices by layer, or None where memory is not put together from layers."""
    if not evaluator.memory.composable:
        return None
    return Prices(evaluator, known, parameters=parameters, memory=memory)
