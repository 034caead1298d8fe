"""Confirm a front: its doubtful points are trained again, with other seeds, until they are sure."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autopeft import catalog
from autopeft.confirmation import standing
from autopeft.confirmation.candidates import candidates
from autopeft.confirmation.standing import Replicates, Standing
from autopeft.errors import Interrupted, NothingFits
from autopeft.evaluate import Evaluator
from autopeft.progress import Progress
from autopeft.settings import Settings
from autopeft.study import about, journal, results
from autopeft.study.ledger import Ledger
from autopeft.study.recommendation import recommended
from autopeft.types import Configuration, Measured, Outcome, Results
from autopeft.workbench import Workbench, build

FACT, PREDICTIONS = "confirmation", "confirmation:predictions"
FIRST_SEED = 1000
"""Above every seed of a search."""
NOTHING = Configuration((), 0.0)


@dataclass
class Confirming:
    """A front that is being confirmed."""

    ledger: Ledger
    bench: Workbench
    found: Results
    progress: Progress
    deadline: float = math.inf

    def __post_init__(self) -> None:
        self.split = self.bench.split(self.bench.data.report, "report")
        self.metric = self.bench.evaluator.task.metrics[self.bench.evaluator.metric]
        self.objective = catalog.objectives.load(self.found.objectives[0].name)

    def run(self, numbers: Sequence[int], *, seeds: int) -> list[Standing]:
        """Train every candidate with two seeds, and what stays doubtful with up to `seeds`."""
        predictions = self._stored()
        labels = self.split.labels.tolist()
        standings: list[Standing] = []
        for index in range(seeds):
            doubtful = [s.number for s in standings if not s.settled]
            wanted = doubtful if index >= standing.LEAST_SEEDS else numbers
            if not wanted:
                break
            in_time = self._train(wanted, FIRST_SEED + index, predictions)
            known = sorted(number for number, mine in predictions.items() if mine)
            if known:
                trained = self.replicates(known, predictions)
                standings = standing.standings(trained, labels, self.score, self._directions)
                self._remember(standings, self._against_defaults(trained, labels))
            if not in_time:
                break
        return standings

    def replicates(
        self, numbers: Sequence[int], predictions: Mapping[int, Mapping[int, list[float]]]
    ) -> list[Replicates]:
        """The candidates with what each seed predicted."""
        return [
            Replicates(
                number,
                tuple(m.value for m in list(self.found.trial(number).objectives.values())[1:]),
                predictions[number],
            )
            for number in numbers
        ]

    def score(self, predictions: Any, labels: Any) -> float:
        """The trained objective in its own unit."""
        found = {"score": Measured(self.metric.value(predictions, labels))}
        return self.objective.value(Outcome(NOTHING, found)).value

    def _against_defaults(
        self, trained: Sequence[Replicates], labels: Sequence[float]
    ) -> dict[str, Any]:
        """The recommended trial, which was chosen without these rows, less each default."""
        able = {trial.number: trial for trial in trained if not trial.diverged}
        chosen = recommended(self.found)
        if chosen is None or chosen.number not in able:
            return {}
        mine, spread = able[chosen.number], standing.pooled_spread(trained, labels, self.score)
        differences = {
            str(number): standing.difference(mine, other, labels, self.score, spread)
            for number, other in able.items()
            if number != chosen.number and self.found.trial(number).default
        }
        plain = {number: [found.value, found.error] for number, found in differences.items()}
        return {"trial": chosen.number, "differences": plain}

    @property
    def _directions(self) -> list[Any]:
        return [objective.direction for objective in self.found.objectives]

    # --- training -----------------------------------------------------------------------------

    def _train(
        self, numbers: Sequence[int], seed: int, predictions: dict[int, dict[int, list[float]]]
    ) -> bool:
        """Train the trials that lack this seed, pack by pack; False when time is up."""
        missing = [n for n in numbers if seed not in predictions.setdefault(n, {})]
        evaluator = self._evaluator(seed)
        configurations = [self.found.trial(n).configuration for n in missing]
        for positions in evaluator.plan(configurations) if missing else []:
            if time.monotonic() > self.deadline:
                self.progress.note("the time is up; the same command goes on from here")
                return False
            pack = [missing[i] for i in positions]
            self.progress.note(f"seed {seed}: training {len(pack)} at once on the report split")
            evaluated = evaluator.evaluate(
                [configurations[i] for i in positions], progress=partial(self._step, pack)
            )
            for number, evaluation in zip(pack, evaluated, strict=True):
                done = evaluation.outcome.provenance.get("predictions", [])
                predictions[number][seed] = [] if evaluation.failure else done
            self.ledger.remember(PREDICTIONS, _plain(predictions))
            if self.progress.stop_requested():
                raise Interrupted("stopped", hint="the same command goes on from here")
        return True

    def _evaluator(self, seed: int) -> Evaluator:
        """The study's own, with this seed for weights and data order, on the report split."""
        own = self.bench.evaluator
        return replace(
            own,
            seeds=(seed,),
            protocol=replace(own.protocol, seed=seed, rungs=(1.0,)),
            splits=(own.splits[0], self.split),
        )

    def _step(self, pack: list[int], step: int) -> None:
        self.progress.step(pack, step, self.bench.evaluator.protocol.steps)

    # --- keeping ------------------------------------------------------------------------------

    def _stored(self) -> dict[int, dict[int, list[float]]]:
        stored = self.ledger.recall(PREDICTIONS) or {}
        return {int(n): {int(s): p for s, p in mine.items()} for n, mine in stored.items()}

    def _remember(self, standings: Sequence[Standing], against: Mapping[str, Any]) -> None:
        trials = {
            str(s.number): {
                "score": None if math.isnan(s.score.value) else [s.score.value, s.score.error],
                "seeds": s.seeds,
                "chance": s.chance,
                "settled": s.settled,
            }
            for s in standings
        }
        facts = {"rows": len(self.split), "trials": trials, "against_defaults": dict(against)}
        self.ledger.remember(FACT, facts)


def confirm(
    path: Path, *, seeds: int, progress: Progress, timeout: float = 0.0
) -> tuple[Results, list[Standing]]:
    """Confirm the front of a study; what was trained before is not trained again.

    Args:
        path: of the study.
        seeds: most trainings of each candidate.
        progress: listener.
        timeout: seconds after which no pack is begun; 0 for none.

    Raises:
        StudyError: the study, or its data or model, is not there any more.
        NothingFits: there is no front.
    """
    ledger = Ledger.open(path)
    found = results.read(ledger)
    if not found.front:
        raise NothingFits(f"`{path}` has no front to confirm", hint="`autopeft status` says why")
    with journal.locked(path):
        bench = build(Settings.restored(ledger.about["settings"]), note=progress.note)
        now = {"data": bench.data.digest, "model": bench.checkpoint.digest}
        about.check_digests(ledger.about, now, str(path))
        deadline = time.monotonic() + (timeout or math.inf)
        run = Confirming(ledger, bench, found, progress, deadline)
        standings = run.run(candidates(found), seeds=seeds)
        return results.read(ledger), standings


def _plain(predictions: Mapping[int, Mapping[int, Sequence[float]]]) -> dict[str, Any]:
    return {
        str(number): {str(seed): np.asarray(found).tolist() for seed, found in mine.items()}
        for number, mine in predictions.items()
    }
