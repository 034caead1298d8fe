"""The rounds of a search: ask for a batch, train its packs, tell, until the trials are done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from autopeft import digest, results, weights
from autopeft.baselines import Baseline
from autopeft.design import Design
from autopeft.errors import Interrupted
from autopeft.evaluate import Evaluation
from autopeft.ledger import Ledger, measurements_json
from autopeft.optimiser.designed import Exhausted, distributions
from autopeft.optimiser.problem import Problem
from autopeft.progress import Progress
from autopeft.settings import TRIALS, Settings
from autopeft.training.planner import Timings
from autopeft.types import Configuration, Measured, Objective, Results, TrialRecord
from autopeft.workbench import Workbench

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass
class Rounds:
    """Runs a study's batches; every decision follows from what the ledger holds."""

    settings: Settings
    bench: Workbench
    ledger: Ledger
    problem: Problem
    design: Design
    objectives: Mapping[str, Objective]
    defaults: Sequence[Baseline]
    progress: Progress
    build: Callable[[Problem, int], BaseSampler]
    started: float

    def run(self) -> None:
        """Batches of trials until there are enough."""
        stored = self.ledger.recall("timings")
        if stored is not None:
            self.bench.evaluator.planner.timings = Timings.from_json(stored)
        self.ledger.remember("trials", self.total)
        self.progress.trials(self._finished(), self.total)
        exhausted = False
        while not exhausted:
            start, end = self._next_batch()
            if start >= self.total:
                return
            exhausted = not self._ask_until(end)
            if not self._train(start, end):
                return

    @property
    def total(self) -> int:
        """How many trials are wanted, the defaults included."""
        return self.settings.trials or TRIALS[self.bench.checkpoint.device.type]

    def _finished(self) -> int:
        return sum(1 for t in self.ledger.trials() if t.state.is_finished())

    def _next_batch(self) -> tuple[int, int]:
        """First unfinished batch as positions among the trials: the defaults, then equal ones."""
        done = [t.state.is_finished() for t in self.ledger.trials()]
        start, end = 0, len(self.defaults)
        size = int(self.ledger.about["batch"])
        while start < self.total and len(done) >= min(end, self.total) and all(done[start:end]):
            start, end = end, end + size
        return start, min(end, self.total)

    # --- asking -------------------------------------------------------------------------------

    def _ask_until(self, end: int) -> bool:
        """Ask until there are `end` trials; False when the space is exhausted."""
        while (count := len(self.ledger)) < end:
            if count < len(self.defaults):
                default = self.defaults[count]
                self.ledger.ask_baseline(default.configuration, default.label)
                continue
            self.progress.note(f"choosing configuration {count + 1} of {self.total}")
            if not self._ask(count):
                self.progress.note("every configuration of the space has been tried")
                return False
        return True

    def _ask(self, count: int) -> bool:
        space = self.problem.space
        seed = digest.seed_of(self.settings.seed, "ask", count) % 2**31
        sampler = self.build(self.problem, seed)
        try:
            self.ledger.ask(
                sampler,
                distributions(space),
                lambda params: space.decode(space.point(params)),
                origin=lambda c: self.design.origins.get(
                    digest.of_configuration(c), self.settings.sampler
                ),
            )
        except Exhausted:
            return False
        return True

    # --- training -----------------------------------------------------------------------------

    def _train(self, start: int, end: int) -> bool:
        """Train the unfinished packs of a batch; False when time is up."""
        for pack in self._packs(start, end):
            trials = [t for t in self.ledger.asked() if t.number in pack]
            if not any(t.running for t in trials):
                continue
            if self._out_of_time():
                self.progress.note("the time is up; the same command goes on from here")
                return False
            configurations = [t.configuration for t in trials]
            self._announce(configurations)
            step = partial(self._step, pack)
            found = self.bench.evaluator.evaluate(configurations, progress=step)
            for trial, evaluation in zip(trials, found, strict=True):
                if trial.running:
                    self._tell(trial.number, evaluation)
            if self.progress.stop_requested():
                raise Interrupted("stopped", hint="the same command goes on from here")
        return True

    def _packs(self, start: int, end: int) -> list[list[int]]:
        """Trial numbers of each pack of a batch; planned once and stored, so that a resumed
        search packs the same trials together."""
        key = f"packs:{start}"
        packs: list[list[int]] = self.ledger.recall(key) or []
        known = {number for pack in packs for number in pack}
        rest = [t for t in self.ledger.asked()[start:end] if t.number not in known]
        if rest:
            self.progress.note("measuring how many configurations to train at once")
            planned = self.bench.evaluator.plan([t.configuration for t in rest])
            self.ledger.remember("timings", self.bench.evaluator.planner.timings.to_json())
            packs = [*packs, *([rest[i].number for i in positions] for positions in planned)]
            self.ledger.remember(key, packs)
        return packs

    def _announce(self, configurations: Sequence[Configuration]) -> None:
        seconds = self.bench.evaluator.expected_seconds(configurations)
        if 0 < seconds < math.inf:
            count = len(configurations)
            self.progress.note(
                f"training {count} at once, about {seconds / count:.1f} s per configuration"
            )

    def _out_of_time(self) -> bool:
        limit = self.settings.timeout
        return bool(limit) and time.monotonic() - self.started > limit

    def _step(self, pack: list[int], step: int) -> None:
        self.progress.step(pack, step, self.bench.evaluator.protocol.steps)

    # --- telling ------------------------------------------------------------------------------

    def _tell(self, number: int, evaluation: Evaluation) -> None:
        outcome = evaluation.outcome
        record = {
            "measurements": measurements_json(outcome.measurements),
            "provenance": dict(outcome.provenance),
        }
        failure = evaluation.failure
        values: dict[str, Measured] = {}
        if not failure:
            values = {name: o.value(outcome) for name, o in self.objectives.items()}
            bad = [name for name, m in values.items() if not math.isfinite(m.value)]
            failure = f"`{bad[0]}` is not a finite number" if bad else ""
        if failure:
            self.ledger.tell_failed(number, failure, record)
        else:
            weights.save(self.ledger.path, number, evaluation.tensors, self.progress.note)
            self.ledger.tell(number, values, record)
        now = results.read(self.ledger)
        weights.keep(self.ledger.path, now.front)
        self._report(now, now.trial(number))

    def _report(self, now: Results, trial: TrialRecord) -> None:
        self.progress.finished(trial, len(now.front), results.hypervolume(now))
        self.progress.trials(self._finished(), self.total)
