"""How much of the front rules of early stopping keep, and what they save, on the table.

    python -m tests.benchmarks.fidelity [--task trec] [--space lora] [--order sampler]
        [--repeats 10] [--batch 8] [--keep 0.33 --keep 0.33] [--early-rows 128] [--memory]
        [--folder FOLDER] [--output FILE]

Every configuration of a table is replayed with one of its seeds, in batches, by chance or in the
order in which our sampler picks them; a rule decides at every rung which of a batch go on, and
AutoPEFT's own which of those stopped are trained anew. The table scored every rung on 400 rows, a
search scores the early ones on 128: as much noise as that makes is added. Printed are, as shares of
training everything to the end: the steps spent and the hypervolume of what was trained to the end
(by its mean over seeds); the hypervolume when 35 % of the steps were spent; and the steps after
which 97 % of the hypervolume was reached. Medians over repeats, which differ in the seeds and in
the order or, with the sampler, in the first batch.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autopeft import pareto
from autopeft.rungs.forecast import Early
from autopeft.training.loop import Protocol
from autopeft.types import Direction
from tests.benchmarks.contest import hypervolume
from tests.benchmarks.pool_orders import ORDERS, Order, Progress
from tests.benchmarks.rungs import Rule, Training, another_go, expected, rules, short
from tests.benchmarks.table import contest
from tests.benchmarks.table.build import FOLDER, SPACES, TASKS
from tests.benchmarks.table.contest import Source
from tests.benchmarks.table.file import Row, Table, read

BEYOND = 1.01
ROWS = 400
"""That the table's scores are over."""
KEEPS = (0.33, 0.33)
STEPS, SHARE = 0.35, 0.97
"""Of the steps and of the hypervolume of training everything."""


def trainings(table: Table, found: Source) -> list[list[Training]]:
    """The finished trainings of a space, one list per configuration, which holds its seeds."""
    runs: dict[str, dict[int, list[Row]]] = {}
    for row in table.of_space(found.space_name):
        if not row.failure:
            runs.setdefault(row.digest, {}).setdefault(row.seed, []).append(row)
    return [
        [
            _training(rows, found, truth=statistics.fmean(r[-1].score for r in seeds.values()))
            for rows in seeds.values()
        ]
        for seeds in runs.values()
    ]


def _training(rows: Sequence[Row], found: Source, *, truth: float) -> Training:
    last = rows[-1]
    curve = tuple(Early(row.step, row.score, row.train_loss) for row in rows)
    costs = (float(last.trainable), float(last.memory))
    return Training(found.space.point(last.point), curve, last.error, costs[: found.costs], truth)


def scored_on(training: Training, rows: int, rng: np.random.Generator) -> Training:
    """The training as if its early scores, shares of right answers, were over so many rows."""
    early = [
        replace(one, score=one.score + rng.normal() * math.sqrt(max(0.0, variance)))
        for one in training.curve[:-1]
        for variance in [one.score * (1 - one.score) * (1 / rows - 1 / ROWS)]
    ]
    return replace(training, curve=(*early, training.curve[-1]))


def replay(
    everything: Sequence[Training], rule: Rule, order: Order, batch: int
) -> Iterator[Progress]:
    """The progress after every batch, one object that goes on."""
    progress = Progress(list(everything))
    seen: list[list[Training]] = [[] for _ in everything[0].curve]
    while progress.left:
        if rule is short:
            take_up(progress, another_go(progress.held, progress.finished)[:batch])
        for _ in range(min(batch - len(progress.again), len(progress.left))):
            progress.batch.append(order(progress))
            progress.left.remove(progress.batch[-1])
        train(progress, rule, seen)
        yield progress


def take_up(progress: Progress, again: list[Training]) -> None:
    """Make what was stopped part of the next batch."""
    progress.again = again
    progress.held = [(rung, t) for rung, t in progress.held if t not in again]
    progress.stopped = [(t, expected) for t, expected in progress.stopped if t not in again]


def train(progress: Progress, rule: Rule, seen: Sequence[list[Training]]) -> None:
    """One batch, from rung to rung; `seen` is what reached each rung so far."""
    going, progress.batch = progress.batch, []
    finished = list(progress.finished)
    for rung, here in enumerate(seen):
        before = going[0].curve[rung - 1].step if rung and going else 0
        progress.steps += sum(t.curve[rung].step - before for t in going)
        if rung == len(seen) - 1 or not going:
            break
        chosen = rule(rung, going, here, finished)
        here.extend(going)
        for stopped in (t for t in going if t not in chosen):
            progress.held.append((rung, stopped))
            final = expected(stopped, rung, finished)
            if final is not None:
                progress.stopped.append((stopped, final))
        going = chosen
    progress.steps += sum(t.curve[-1].step for t in progress.again)
    progress.finished += [*going, *progress.again]
    progress.again = []


def reached(kept: Sequence[Training], everything: Sequence[Training]) -> float:
    """Share of the hypervolume of everything that what is kept reaches."""
    floor = min(t.truth for t in everything)
    limits = [BEYOND * max(column) for column in zip(*(t.costs for t in everything), strict=True)]
    volumes = [
        hypervolume([(t.truth, *t.costs) for t in some], floor=floor, limits=limits)
        for some in (kept, everything)
    ]
    return volumes[0] / volumes[1]


def front_share(found: Sequence[Sequence[Training]]) -> float:
    """Share of the configurations on the true front: less cannot be trained to the end."""
    rows = [(t.truth, *t.costs) for t, *_ in found]
    directions: list[Direction] = ["maximize", *("minimize" for _ in rows[0][1:])]
    return len(pareto.front(rows, directions)) / len(rows)


def measure(
    found: Sequence[Sequence[Training]], rule: Rule, order: Order, options: Any
) -> dict[str, float | None]:
    """Medians over repeats, each with one seed of every configuration, chosen at random."""
    ends, early, needed = [], [], []
    for repeat in range(options.repeats):
        rng = np.random.default_rng(repeat)
        chosen = [seeds[int(rng.integers(len(seeds)))] for seeds in found]
        chosen = [scored_on(training, options.early_rows, rng) for training in chosen]
        shuffled = [chosen[i] for i in rng.permutation(len(chosen))]
        full = sum(t.curve[-1].step for t in shuffled)
        batch = options.batch or len(shuffled)
        course = [
            (progress.steps / full, reached(progress.finished, shuffled))
            for progress in replay(shuffled, rule, order, batch)
        ]
        ends.append(course[-1])
        early.append(max((share for steps, share in course if steps <= STEPS), default=0.0))
        needed.append(min((steps for steps, share in course if share >= SHARE), default=math.inf))
    to_share = statistics.median_high(needed)
    return {
        "steps": round(statistics.median(steps for steps, _ in ends), 3),
        "hypervolume": round(statistics.median(share for _, share in ends), 3),
        "worst": round(min(share for _, share in ends), 3),
        "hypervolume_at_35": round(statistics.median(early), 3),
        "worst_at_35": round(min(early), 3),
        "steps_to_97": round(to_share, 3) if math.isfinite(to_share) else None,
    }


def main() -> None:
    """Print one line per task, space, order and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--space", action="append")
    parser.add_argument("--order", action="append", choices=tuple(ORDERS))
    parser.add_argument("--rule", action="append")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--keep", type=float, action="append", help="once per rung but the last")
    parser.add_argument("--early-rows", type=int, default=Protocol.early_rows)
    parser.add_argument("--memory", action="store_true", help="as a second cost")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for task in options.task or TASKS:
        table = read(options.folder / f"{task}.parquet")
        for space in options.space or sorted(table.facts.keys() & set(SPACES)):
            found = contest.source(task, space, 1 + options.memory, folder=options.folder)
            mine, problem = trainings(table, found), contest.problem_of(found, 0)
            size = {"trainings": len(mine), "front": round(front_share(mine), 3)}
            for order in options.order or ORDERS:
                for name, rule in rules(options.keep or KEEPS).items():
                    if options.rule and name not in options.rule:
                        continue
                    figures = measure(mine, rule, ORDERS[order](problem), options)
                    about = {"task": task, "space": space, "order": order, "rule": name}
                    rows.append({**about, **figures, **size})
                    print(json.dumps(rows[-1]), flush=True)
    if options.output:
        facts = {
            name: getattr(options, name) for name in ("batch", "repeats", "early_rows", "memory")
        }
        facts["keep"] = options.keep or KEEPS
        options.output.write_text(json.dumps({"about": facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
