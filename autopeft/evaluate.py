"""Configurations -> outcomes, in stages: counted, then predicted, then trained in packs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autopeft import budget, run_scores
from autopeft.adapters import shipping
from autopeft.checkpoint import Checkpoint
from autopeft.describe import SHIPPED
from autopeft.errors import UsageError
from autopeft.training.cuda_memory import measure
from autopeft.training.device_memory import room
from autopeft.training.loop import Protocol, Trained, train
from autopeft.training.memory import MemoryModel
from autopeft.training.multiply_adds import MultiplyAdds
from autopeft.training.pack import Job, Pack
from autopeft.training.pack_load import Load, load_of
from autopeft.training.planner import Planner
from autopeft.training.trunk_cache import TrunkCache
from autopeft.types import Backbone, Configuration, Measured, Metric, Outcome, PeftModule, Task

if TYPE_CHECKING:
    import numpy as np

    from autopeft.training.batches import Split


@dataclass(frozen=True)
class Evaluation:
    """What became of one configuration."""

    outcome: Outcome
    runs: tuple[Trained, ...] = ()
    """One per seed; empty when it failed."""
    failure: str = ""
    """Why there is no score, in one sentence."""


@dataclass(frozen=True)
class Evaluator:
    """Trains configurations on one frozen checkpoint under one protocol."""

    checkpoint: Checkpoint
    backbone: Backbone
    modules: Mapping[str, PeftModule]
    task: Task
    metric: str
    protocol: Protocol
    splits: tuple[Split, Split]
    """Search-train and search-validation."""
    seeds: tuple[int, ...]
    memory: MemoryModel
    planner: Planner
    trunk_cache: TrunkCache
    needs_memory: bool = True
    """Whether an objective or a limit is about memory."""
    compute: MultiplyAdds | None = None
    """Where an objective is about it."""

    @property
    def measures_memory(self) -> bool:
        """Whether memory is measured: on a GPU, with the base as it is loaded."""
        on_gpu = self.checkpoint.device.type == "cuda"
        return on_gpu and self.memory.target.precision == self.checkpoint.dtype

    def before_training(self, configuration: Configuration) -> Outcome:
        """Everything known without training: counts, and the predicted memory."""
        count = budget.count(configuration, self.backbone, self.modules)
        return Outcome(
            configuration,
            {
                "trainable": Measured(count.parameters),
                "published": Measured(count.published),
                "frozen": Measured(self.backbone.parameters),
                "head": Measured(self.backbone.head_parameters),
                **self._predicted(configuration),
                **self._computed(configuration),
            },
        )

    def _computed(self, configuration: Configuration) -> dict[str, Measured]:
        """Multiply-adds of what ships."""
        return self.compute.measured(configuration.placements) if self.compute else {}

    def _predicted(self, configuration: Configuration) -> dict[str, Measured]:
        """Predicted peak memory; left out where it is not needed and cannot be predicted."""
        try:
            return {"memory_predicted": Measured(self.memory.predict(configuration))}
        except UsageError:
            if self.needs_memory:
                raise
            return {}

    def plan(self, configurations: Sequence[Configuration]) -> list[list[int]]:
        """Packs, as positions in the list."""
        if not self.planner.timings.room:
            self.planner.timings.room = room(self.checkpoint.device)
        return self.planner.plan(self._loads(configurations), seeds=len(self.seeds))

    def expected_seconds(self, configurations: Sequence[Configuration], steps: int) -> float:
        """Of that many steps in one pack, the scoring left out; 0 where nothing was timed."""
        if self.planner.fixed:
            return 0.0
        runs = self._loads(configurations) * len(self.seeds)
        return steps * self.planner.seconds(runs)

    def _loads(self, configurations: Sequence[Configuration]) -> list[Load]:
        return [load_of(c, self.backbone, self.modules) for c in configurations]

    def evaluate(
        self,
        configurations: Sequence[Configuration],
        *,
        until: int = 0,
        since: Sequence[Sequence[Trained]] = (),
        progress: Callable[[int], None] = lambda step: None,
    ) -> list[Evaluation]:
        """Train the configurations in one pack, every seed; halved as long as memory runs out.

        Args:
            configurations: what to train.
            until: the step to pause at, as in `loop.train`.
            since: the runs of each configuration up to an earlier step.
            progress: called with the number of steps done.
        """
        import torch

        try:
            runs = self._train(configurations, until, since, progress)
        except (torch.OutOfMemoryError, MemoryError) as error:
            if len(configurations) == 1:
                first = str(error).strip().partition("\n")[0][:200] or type(error).__name__
                reason = f"out of memory when trained alone: {first}"
                return [Evaluation(self.before_training(configurations[0]), failure=reason)]
        else:
            return [self.evaluation(*pair) for pair in zip(configurations, runs, strict=True)]
        middle = len(configurations) // 2
        return [
            evaluation
            for half in (slice(None, middle), slice(middle, None))
            for evaluation in self.evaluate(
                configurations[half], until=until, since=since[half], progress=progress
            )
        ]

    def _train(
        self,
        configurations: Sequence[Configuration],
        until: int,
        since: Sequence[Sequence[Trained]],
        progress: Callable[[int], None],
    ) -> list[tuple[Trained, ...]]:
        """The runs of each configuration."""
        pack = self._pack([Job(c, seed) for c in configurations for seed in self.seeds])
        trained = train(
            self.checkpoint.model,
            pack,
            task=self.task,
            protocol=self.protocol,
            splits=self.splits,
            until=until,
            since=[run for runs in since for run in runs],
            progress=progress,
        )
        count = len(self.seeds)
        return [tuple(trained[i : i + count]) for i in range(0, len(trained), count)]

    def _pack(self, jobs: Sequence[Job]) -> Pack:
        return Pack(
            self.checkpoint.model,
            self.backbone,
            jobs,
            modules=self.modules,
            head=self.checkpoint.head,
            cache=self.trunk_cache,
        )

    def evaluation(self, configuration: Configuration, runs: tuple[Trained, ...]) -> Evaluation:
        """What came of one run per seed, finished or paused at a rung."""
        outcome = replace(self.before_training(configuration), provenance=self._provenance(runs))
        if not all(run.finite for run in runs):
            return Evaluation(outcome, failure="diverged: a gradient or a loss was not finite")
        measured = {**outcome.measurements, "seconds": Measured(sum(run.seconds for run in runs))}
        if runs[0].paused.step == self.protocol.steps:
            measured |= {
                **run_scores.scores(runs, *self._judged_by),
                **self._measured(configuration),
            }
            return Evaluation(self._shipped(replace(outcome, measurements=measured), runs[0]), runs)
        return Evaluation(replace(outcome, measurements=measured), runs)

    def _shipped(self, outcome: Outcome, run: Trained) -> Outcome:
        """With what is exported of one run and its size, where a method has changed them."""
        if not shipping.changes(outcome.configuration, self.modules):
            return outcome
        found, _ = shipping.shipped(outcome.configuration, run.paused.tensors, self.modules)
        count = budget.count(found, self.backbone, self.modules)
        measured = {"shipped": Measured(count.parameters), **self._computed(found)}
        return replace(
            outcome,
            measurements={**outcome.measurements, **measured},
            provenance={**outcome.provenance, SHIPPED: found.to_json()["placements"]},
        )

    @property
    def _judged_by(self) -> tuple[Metric, np.ndarray]:
        """The metric, and what should have been predicted."""
        return self.task.metrics[self.metric], self.splits[1].labels.numpy()

    def _measured(self, configuration: Configuration) -> dict[str, Measured]:
        """Peak memory of training the configuration alone, where it can be measured."""
        if not self.measures_memory:
            return {}
        model, pack = self.checkpoint.model, self._pack([Job(configuration, 0)])
        allocated, reserved = measure(model, pack, self.task, target=self.memory.target)
        # The cache of the search is on the device too, and no training alone would hold it.
        held = self.trunk_cache.held(self.checkpoint.device)
        return {
            "memory_measured": Measured(allocated - held),
            "memory_reserved": Measured(reserved - held),
        }

    def _provenance(self, runs: Sequence[Trained]) -> dict[str, Any]:
        record = {
            "metric": self.metric,
            "split": "search-validation",
            "rows": len(runs[0].rungs[-1].predictions),
            "seeds": list(self.seeds),
            "steps": runs[0].paused.step,
            "batch": self.protocol.batch,
            "length": self.protocol.length,
            "device": str(self.checkpoint.device),
            "dtype": self.checkpoint.dtype,
            "pack": runs[0].pack,
            "memory_shape": [self.memory.target.rows, self.memory.target.length],
            "memory_precision": self.memory.target.precision,
            "gradient_checkpointing": self.memory.target.checkpointing,
            "curve": run_scores.curve(runs, *self._judged_by),
            "predictions": runs[0].rungs[-1].predictions.tolist(),
        }
        return json.loads(json.dumps(record))  # type: ignore[no-any-return]
