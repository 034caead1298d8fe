"""A batch of trials, trained from rung to rung in packs, and told to the ledger one by one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from autopeft import digest, weights
from autopeft.errors import Interrupted
from autopeft.evaluate import Evaluation, Evaluator
from autopeft.optimiser.problem import Problem
from autopeft.progress import Progress
from autopeft.rungs import promotion, stopping
from autopeft.rungs.paused_trials import PausedTrials
from autopeft.rungs.promotion import Reached
from autopeft.study import results
from autopeft.study.ledger import Ledger, measurements_json
from autopeft.types import Configuration, Measured, Objective, Outcome, TrialRecord


@dataclass(frozen=True)
class Stretch:
    """The steps of one rung."""

    begin: int
    end: int
    last: bool


@dataclass
class RungTraining:
    """Trains what was asked; every decision follows from what the ledger holds."""

    evaluator: Evaluator
    ledger: Ledger
    problem: Problem
    objectives: Mapping[str, Objective]
    """The trained one first."""
    progress: Progress
    total: int
    """Trials of the whole search."""
    deadline: float = math.inf
    """By the monotonic clock; no pack is begun after it."""
    early_stopping: bool = True

    def __post_init__(self) -> None:
        self.paused = PausedTrials(self.ledger.path, self.progress.note)

    def train(self, start: int, end: int) -> bool:
        """Finish the trials from position `start` to before `end`; False when time is up."""
        for rung in self._rungs():
            for pack in self._packs(start, end, rung):
                if not self._train(pack, rung):
                    return False
            if self.early_stopping and not rung.last:
                self._stop(start, end, rung.end)
        self.paused.clear()
        return True

    def _rungs(self) -> list[Stretch]:
        ends = self.evaluator.protocol.ends
        return [
            Stretch(begin, end, end == ends[-1])
            for begin, end in zip([0, *ends], ends, strict=False)
        ]

    def finished(self) -> int:
        """How many trials of the study are done."""
        return sum(1 for trial in self.ledger.trials() if trial.state.is_finished())

    # --- packs --------------------------------------------------------------------------------

    def _packs(self, start: int, end: int, rung: Stretch) -> list[list[int]]:
        """Trial numbers of each pack of a rung; planned once and stored, so that a resumed search
        packs the same trials together."""
        key = f"packs:{start}:{rung.end}"
        packs: list[list[int]] = self.ledger.recall(key) or []
        known = {number for pack in packs for number in pack}
        asked = self.ledger.asked()[start:end]
        rest = [t for t in asked if t.running and t.number not in known]
        if rest:
            planner = self.evaluator.planner
            if not planner.timings.packs:
                self.progress.note("measuring how many configurations to train at once")
            planned = self.evaluator.plan([t.configuration for t in rest])
            self.ledger.remember("timings", planner.timings.to_json())
            packs = [*packs, *([rest[i].number for i in positions] for positions in planned)]
            self.ledger.remember(key, packs)
        return packs

    def _train(self, pack: Sequence[int], rung: Stretch) -> bool:
        """Train one pack to the end of a rung, unless it is there; False when time is up."""
        trials = [t for t in self.ledger.asked() if t.number in pack]
        if rung.begin:
            trials = [t for t in trials if self.paused.runs(t.number, rung.begin)]
        if all(not t.running or self.paused.runs(t.number, rung.end) for t in trials):
            return True
        if time.monotonic() > self.deadline:
            self.progress.note("the time is up; the same command goes on from here")
            return False
        configurations = [t.configuration for t in trials]
        self._announce(configurations, rung)
        found = self.evaluator.evaluate(
            configurations,
            until=rung.end,
            since=[self.paused.runs(t.number, rung.begin) for t in trials],
            progress=partial(self._step, list(pack)),
        )
        for trial, evaluation in zip(trials, found, strict=True):
            if not trial.running:
                continue
            if rung.last or evaluation.failure:
                self._tell(trial.number, evaluation)
            else:
                self.paused.keep(trial.number, evaluation.runs)
        if self.progress.stop_requested():
            raise Interrupted("stopped", hint="the same command goes on from here")
        return True

    def _announce(self, configurations: Sequence[Configuration], rung: Stretch) -> None:
        steps = rung.end - rung.begin
        seconds = self.evaluator.expected_seconds(configurations, steps)
        if 0 < seconds < math.inf:
            count = len(configurations)
            self.progress.note(
                f"training {count} at once, about {seconds / count:.1f} s per configuration"
            )

    def _step(self, pack: list[int], step: int) -> None:
        self.progress.step(pack, step, self.evaluator.protocol.steps)

    # --- stopping -----------------------------------------------------------------------------

    def another_go(self, start: int) -> list[int]:
        """Stopped trials worth training again, as those before position `start` tell it."""
        if not self.early_stopping:
            return []
        told = self._told(start)
        known: dict[str, Any] = {"directions": self.problem.directions, "costs": self._costs}
        return stopping.another_go(
            promotion.stopped(told, **known), partial(promotion.finished, told, **known)
        )

    def _stop(self, start: int, end: int, step: int) -> None:
        """Stop trials of a batch at a rung, as the batches before this one tell it."""
        told, steps = self._told(start), self.evaluator.protocol.steps
        again = {trial.digest for trial in told}
        evaluations = {
            trial.number: self.evaluator.evaluation(trial.configuration, runs)
            for trial in self.ledger.asked()[start:end]
            if trial.running
            and digest.of_configuration(trial.configuration) not in again
            and (runs := self.paused.runs(trial.number, step))
        }
        found = stopping.stops(
            [self._reached(number, one) for number, one in evaluations.items()],
            promotion.finished(told, step, directions=self.problem.directions, costs=self._costs),
        )
        for number, stop in found.items():
            reason = f"stopped after {step} of {steps} steps: {stop.words}"
            self._tell_stopped(number, reason, stop.final, evaluations[number].outcome)

    def _told(self, start: int) -> list[TrialRecord]:
        """The trials before a position."""
        earlier = {t.number for t in self.ledger.asked()[:start]}
        return [t for t in results.trials_of(self.ledger) if t.number in earlier]

    def _reached(self, number: int, evaluation: Evaluation) -> Reached:
        outcome = evaluation.outcome
        costs = promotion.losses(self._costs(outcome), self.problem.directions[1:])
        return Reached(number, promotion.early(outcome.provenance["curve"][-1]), costs)

    def _costs(self, one: TrialRecord | Outcome) -> Sequence[float]:
        return self.problem.costs(one.configuration)

    # --- telling ------------------------------------------------------------------------------

    def _tell(self, number: int, evaluation: Evaluation) -> None:
        failure = evaluation.failure
        record = _record(evaluation.outcome)
        values: dict[str, Measured] = {}
        if not failure:
            values = {name: o.value(evaluation.outcome) for name, o in self.objectives.items()}
            bad = [name for name, m in values.items() if not math.isfinite(m.value)]
            failure = f"`{bad[0]}` is not a finite number" if bad else ""
        if failure:
            self.ledger.tell_failed(number, failure, record)
        else:
            trained = evaluation.runs[0].paused.tensors
            weights.save(self.ledger.path, number, trained, self.progress.note)
            self.ledger.tell(number, values, record)
        self._report(number)

    def _tell_stopped(self, number: int, reason: str, final: Measured, outcome: Outcome) -> None:
        (trained, _), *others = self.objectives.items()
        expected = {
            trained: promotion.unsigned(final, self.problem.directions[0]),
            **{name: objective.value(outcome) for name, objective in others},
        }
        self.ledger.tell_stopped(number, reason, expected, _record(outcome))
        self._report(number)

    def _report(self, number: int) -> None:
        now = results.read(self.ledger)
        weights.keep(self.ledger.path, now.front)
        self.progress.finished(now.trial(number), len(now.front), results.hypervolume(now))
        self.progress.trials(self.finished(), self.total)


def _record(outcome: Outcome) -> dict[str, Any]:
    return {
        "measurements": measurements_json(outcome.measurements),
        "provenance": dict(outcome.provenance),
    }
