"""Build a table of real trainings: one Parquet file per task.

    python -m tests.benchmarks.table.build --minutes 60 [--task sst2] [--space mixed]
        [--configurations 300] [--seeds 2] [--front-seeds 3] [--budget 1.0] [--steps 60]
        [--length 0] [--pack 8] [--folder FOLDER]

The same command goes on where the last one stopped: what is in the file is not trained again. Half
of the configurations of a space are spread over the budget, the other half are neighbours of the
front found so far, because samplers spend their trials there. At last, what is on the front by its
mean gets its other seeds until no new configuration comes up to it: a front of single trainings is
one of lucky ones.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from autopeft import catalog, digest, pareto, workbench
from autopeft.optimiser.candidates import Candidate, Candidates
from autopeft.optimiser.initial_design import spread
from autopeft.optimiser.moves import Moves
from autopeft.optimiser.problem import Problem
from autopeft.search.problem import chosen_objectives, expanded, limits_of, problem_of
from autopeft.settings import Settings
from autopeft.study import about
from autopeft.workbench import Workbench
from tests.benchmarks.table.file import Row, Table, entries, read, write
from tests.benchmarks.table.training import rows_of, scored_at_rungs

FOLDER = Path(__file__).parent
DATA = Path(__file__).parents[4] / "shared" / "data"
TASKS = ("trec", "banking77", "sst2")
SPACES = ("autopeft", "lora", "mixed")
OBJECTIVES = ("accuracy", "trainable_parameters", "peak_memory")


@dataclass(frozen=True)
class Builder:
    """Fills the rows of one task and one space."""

    bench: Workbench
    problem: Problem
    space: str
    wanted: int
    seeds: tuple[int, ...]
    """Of every configuration."""
    front_seeds: tuple[int, ...]
    """Of every configuration on the front."""
    pack: int
    """How many configurations are trained at once."""

    def missing(self, table: Table) -> list[tuple[Candidate, int]]:
        """The next pack: (configuration, seed) pairs that the table lacks, empty when full."""
        return self._untrained(table) or self._unsettled(table)

    def train(self, pairs: Sequence[tuple[Candidate, int]]) -> Iterator[Row]:
        """Train the pairs, one pack per seed."""
        for seed in sorted({seed for _, seed in pairs}):
            mine = [candidate for candidate, other in pairs if other == seed]
            evaluator = scored_at_rungs(self.bench.evaluator, seed)
            decoded = [self.problem.space.decode(candidate.point) for candidate in mine]
            for candidate, evaluation in zip(mine, evaluator.evaluate(decoded), strict=True):
                point = self.problem.space.values(candidate.point)
                yield from rows_of(evaluation, space=self.space, point=point, seed=seed)

    # --- details ------------------------------------------------------------------------------

    @property
    def _trainings(self) -> int:
        """How many make full packs, of one seed each."""
        return self.pack * len(self.seeds)

    def _untrained(self, table: Table) -> list[tuple[Candidate, int]]:
        candidates = Candidates(self.problem)
        rows = table.of_space(self.space)
        known = {(row.digest, row.seed) for row in rows}
        found = []
        for candidate in self._chosen(candidates, rows):
            name = self._digest(candidate)
            found += [(candidate, seed) for seed in self.seeds if (name, seed) not in known]
            if len(found) >= self._trainings:
                break
        return found[: self._trainings]

    def _unsettled(self, table: Table) -> list[tuple[Candidate, int]]:
        candidates, found = Candidates(self.problem), entries(table, self.space)
        known = {(row.digest, row.seed) for row in table.of_space(self.space)}
        front = pareto.front([(e.score, e.trainable) for e in found], ("maximize", "minimize"))
        points = [self.problem.space.point(found[i].point) for i in front]
        pairs = [
            (candidate, seed)
            for seed in self.front_seeds
            for candidate in candidates.describe(points)
            if (self._digest(candidate), seed) not in known
        ]
        return pairs[: self._trainings]

    def _chosen(self, candidates: Candidates, rows: Sequence[Row]) -> Iterator[Candidate]:
        """Spread points in random order, then what was begun, then neighbours of the front.

        In order of size, a table that is cut short would hold small ones only.
        """
        yield from self._spread
        half = self.wanted // 2
        begun = {row.digest: self.problem.space.point(row.point) for row in rows}
        yield from candidates.describe(list(begun.values()))
        if len(begun) < half:
            return
        yield from self._near(candidates, rows, set(begun), self.wanted - len(begun))

    @cached_property
    def _spread(self) -> list[Candidate]:
        points = spread(self.problem, self.wanted // 2, self.problem.seed)
        order = np.random.default_rng(self.problem.seed).permutation(len(points))
        return Candidates(self.problem).describe([points[index] for index in order])

    def _near(
        self, candidates: Candidates, rows: Sequence[Row], known: set[str], count: int
    ) -> Iterator[Candidate]:
        rng = np.random.default_rng([self.problem.seed, len(known)])
        moves, space = Moves(candidates.grid), self.problem.space
        last = [row for row in rows if row.share == 1.0 and np.isfinite(row.score)]
        front = pareto.front([(row.score, row.trainable) for row in last], ("maximize", "minimize"))
        centres = candidates.grid.array([space.point(last[i].point) for i in front])
        while count > 0 and len(centres):
            steps = int(rng.integers(1, 4))
            row = centres[rng.integers(len(centres))]
            for _ in range(steps):
                row = moves.neighbour(row, rng)
            candidate = candidates.feasible(tuple(row.tolist()))
            if candidate is not None and self._digest(candidate) not in known:
                known.add(self._digest(candidate))
                count -= 1
                yield candidate

    def _digest(self, candidate: Candidate) -> str:
        return digest.of_configuration(self.problem.space.decode(candidate.point))


def build(options: argparse.Namespace, task: str, name: str, until: float) -> int:
    """Add rows until the space is full or the time is up; how many trainings were added."""
    settings = Settings(
        dataset=str(options.data / task),
        space=name,
        objectives=OBJECTIVES,
        budget=options.budget,
        steps=options.steps,
        length=options.length,
        offline=True,
    )
    bench = workbench.build(settings)
    limits = limits_of(bench)
    objectives = chosen_objectives(OBJECTIVES)
    space = expanded(bench, catalog.spaces.load(name), {}, limits)
    problem = problem_of(bench, space, objectives, limits)
    seeds, front_seeds = tuple(range(options.seeds)), tuple(range(options.front_seeds))
    builder = Builder(
        bench, problem, name, options.configurations, seeds, front_seeds, options.pack
    )
    path = options.folder / f"{task}.parquet"
    table = read(path).with_facts(
        name, about.describe(bench, space, objectives, batch=options.pack)
    )
    table, added = anywhere(table, options.data), 0
    while time.monotonic() < until and (pairs := builder.missing(table)):
        rows = list(builder.train(pairs))
        table, added = table.with_rows(rows), added + len(pairs)
        write(table, path)
        print(f"{task} {name}: {len(table.of_space(name))} rows", flush=True)
    return added


def anywhere(table: Table, folder: Path) -> Table:
    """The table without the place of the data on this machine."""
    facts = json.loads(json.dumps(table.facts).replace(f"{folder}/", ""))
    return dataclasses.replace(table, facts=facts)


def main() -> None:
    """Build the tables, every task and space for an equal share of the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--space", action="append")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--front-seeds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=1.0, help="percent of the backbone")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--length", type=int, default=0)
    parser.add_argument("--pack", type=int, default=8)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    tasks, spaces = options.task or TASKS, options.space or SPACES
    jobs = [(task, space) for task in tasks for space in spaces]
    started = time.monotonic()
    added = {}
    for index, (task, space) in enumerate(jobs, 1):
        until = started + 60 * options.minutes * index / len(jobs)
        added[f"{task} {space}"] = build(options, task, space, until)
    print(json.dumps({"trainings added": added}, indent=1))


if __name__ == "__main__":
    main()
