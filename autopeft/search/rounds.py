"""The rounds of a search: ask for a batch, train and tell it, until the trials are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft import digest
from autopeft.baselines import Baseline
from autopeft.optimiser.designed import Exhausted, distributions
from autopeft.optimiser.problem import Problem
from autopeft.progress import Progress
from autopeft.rungs.training import RungTraining
from autopeft.search.design import Design
from autopeft.settings import Settings
from autopeft.study.ledger import Asked, Ledger
from autopeft.training.planner import Timings

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass
class Rounds:
    """Runs a study's batches; every decision follows from what the ledger holds."""

    settings: Settings
    ledger: Ledger
    problem: Problem
    design: Design
    defaults: Sequence[Baseline]
    progress: Progress
    build: Callable[[Problem, int], BaseSampler]
    training: RungTraining

    def run(self) -> bool:
        """Batches of trials until there are enough; False when the time was up before."""
        stored = self.ledger.recall("timings")
        if stored is not None:
            self.training.evaluator.planner.timings = Timings.from_json(stored)
        self.ledger.remember("trials", self.total)
        self.progress.trials(self.training.finished(), self.total)
        exhausted = False
        while not exhausted:
            start, end = self._next_batch()
            if start >= self.total:
                return True
            exhausted = not self._ask_until(start, end)
            if not self.training.train(start, end):
                return False
        return True

    @property
    def total(self) -> int:
        """How many trials are wanted, the defaults included."""
        return self.training.total

    def _next_batch(self) -> tuple[int, int]:
        """First unfinished batch as positions among the trials: the defaults, then equal ones."""
        done = [t.state.is_finished() for t in self.ledger.trials()]
        start, end = 0, len(self.defaults)
        size = int(self.ledger.about["batch"])
        while start < self.total and len(done) >= min(end, self.total) and all(done[start:end]):
            start, end = end, end + size
        return start, min(end, self.total)

    # --- asking -------------------------------------------------------------------------------

    def _ask_until(self, start: int, end: int) -> bool:
        """Ask until there are `end` trials; False when the space is exhausted.

        Before anything new comes what was stopped and turned out to be worth training.
        """
        again = self.training.another_go(start)
        while (count := len(self.ledger)) < end:
            if count < len(self.defaults):
                default = self.defaults[count]
                self._guess(self.ledger.ask_baseline(default.configuration, default.label))
                continue
            if count - start < len(again):
                self.progress.note(f"trial {again[count - start]} is worth training after all")
                self._guess(
                    self.ledger.ask_again(again[count - start], distributions(self.problem.space))
                )
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
            asked = self.ledger.ask(
                sampler,
                distributions(space),
                lambda params: space.decode(space.point(params)),
                origin=lambda c: self.design.origins.get(
                    digest.of_configuration(c), self.settings.sampler
                ),
            )
        except Exhausted:
            return False
        self._guess(asked)
        return True

    def _guess(self, asked: Asked) -> None:
        """Keep what an earlier study lets expect, to be held against the score."""
        if self.problem.prior is not None:
            self.ledger.guess(asked.number, self.problem.prior.of(asked.configuration))
