"""How much of the front rules of early stopping keep, and what they save, on the table.

    python -m tests.benchmarks.fidelity [--task trec] [--space lora] [--repeats 20] [--batch 8]
        [--keep 0.33 --keep 0.33] [--memory] [--folder FOLDER] [--output FILE]

Every training of a table is replayed in batches in random order, or all at once with `--batch 0`; a
rule decides at every rung which of a batch go on. Printed are the steps spent and the hypervolume
of what was trained to the end (by its mean over seeds), both as shares of training everything, as
medians over the repeats.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autopeft import pareto
from autopeft.promotion import Early
from autopeft.types import Direction
from tests.benchmarks.contest import hypervolume
from tests.benchmarks.rungs import Rule, Training, rules
from tests.benchmarks.table.build import FOLDER, SPACES, TASKS
from tests.benchmarks.table.file import Row, Table, read

BEYOND = 1.01
KEEPS = (0.33, 0.33)


def trainings(table: Table, space: str, *, memory: bool) -> list[list[Training]]:
    """The finished trainings of a space, one list per seed."""
    runs: dict[tuple[str, int], list[Row]] = {}
    for row in table.of_space(space):
        if not row.failure:
            runs.setdefault((row.digest, row.seed), []).append(row)
    finals: dict[str, list[float]] = {}
    for (name, _), rows in runs.items():
        finals.setdefault(name, []).append(rows[-1].score)
    seeds = sorted({seed for _, seed in runs})
    found: list[list[Training]] = [[] for _ in seeds]
    for (name, seed), rows in runs.items():
        last = rows[-1]
        costs = (float(last.trainable), float(last.memory))[: 1 + memory]
        curve = tuple(Early(row.step, row.score, row.train_loss) for row in rows)
        truth = statistics.fmean(finals[name])
        found[seeds.index(seed)].append(Training(curve, last.error, costs, truth))
    return found


def replay(
    order: Sequence[Training], rule: Rule, batch: int
) -> tuple[int, list[Training], list[Training]]:
    """Steps spent, what was trained to the end, and everything."""
    steps, finished = 0, []
    seen: list[list[Training]] = [[] for _ in order[0].curve]
    for start in range(0, len(order), batch):
        going = list(order[start : start + batch])
        for rung, here in enumerate(seen):
            before = going[0].curve[rung - 1].step if rung and going else 0
            steps += sum(t.curve[rung].step - before for t in going)
            if rung == len(seen) - 1 or not going:
                break
            chosen = rule(rung, going, here, finished)
            here.extend(going)
            going = chosen
        finished += going
    return steps, finished, list(order)


def reached(kept: Sequence[Training], everything: Sequence[Training]) -> float:
    """Share of the hypervolume of everything that what is kept reaches."""
    floor = min(t.truth for t in everything)
    limits = [BEYOND * max(column) for column in zip(*(t.costs for t in everything), strict=True)]
    volumes = [
        hypervolume([(t.truth, *t.costs) for t in some], floor=floor, limits=limits)
        for some in (kept, everything)
    ]
    return volumes[0] / volumes[1]


def front_share(everything: Sequence[Training]) -> float:
    """Share of the trainings that are on the true front: less cannot be trained to the end."""
    rows = [(t.truth, *t.costs) for t in everything]
    directions: list[Direction] = ["maximize", *("minimize" for _ in rows[0][1:])]
    return len(pareto.front(rows, directions)) / len(rows)


def measure(found: Sequence[Sequence[Training]], rule: Rule, options: Any) -> dict[str, float]:
    """Medians over repeats in random orders, the seeds in turn."""
    steps, shares = [], []
    for repeat in range(options.repeats):
        mine = found[repeat % len(found)]
        rng = np.random.default_rng(repeat)
        order = [mine[i] for i in rng.permutation(len(mine))]
        spent, finished, everything = replay(order, rule, options.batch or len(order))
        steps.append(spent / sum(t.curve[-1].step for t in everything))
        shares.append(reached(finished, everything))
    return {
        "steps": round(statistics.median(steps), 3),
        "hypervolume": round(statistics.median(shares), 3),
        "worst": round(min(shares), 3),
    }


def main() -> None:
    """Print one line per task, space and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--space", action="append")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--keep", type=float, action="append", help="once per rung but the last")
    parser.add_argument("--memory", action="store_true", help="as a second cost")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    found = []
    for task in options.task or TASKS:
        table = read(options.folder / f"{task}.parquet")
        for space in options.space or SPACES:
            mine = trainings(table, space, memory=options.memory)
            for name, rule in rules(options.keep or KEEPS).items() if mine else ():
                row = measure(mine, rule, options)
                size = {"trainings": len(mine[0]), "front": round(front_share(mine[0]), 3)}
                found.append({"task": task, "space": space, "rule": name, **row, **size})
                print(json.dumps(found[-1]))
    if options.output:
        about = {name: getattr(options, name) for name in ("batch", "repeats", "memory")}
        about["keep"] = options.keep or KEEPS
        options.output.write_text(json.dumps({"about": about, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
