"""Train every linear site of the backbone alone: what importance scores try to foresee.

    python -m tests.benchmarks.table.sites [--task trec] [--rank 8] [--rate 0.006] [--seeds 2]
        [--steps 60] [--folder FOLDER]

One LoRA module at one linear, under the protocol of the table, for every linear and seed; the same
command goes on where the last one stopped. Writes `sites/TASK.parquet` in the folder, with the
columns of the table; `point` is the site, its rank and the learning rate.
`python -m tests.benchmarks.importance` compares every importance method with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autopeft import catalog, workbench
from autopeft.search.problem import chosen_objectives, expanded, limits_of
from autopeft.settings import Settings
from autopeft.study import about
from autopeft.types import Configuration, Placement
from autopeft.workbench import Workbench
from tests.benchmarks.table.build import DATA, FOLDER, OBJECTIVES, TASKS, anywhere
from tests.benchmarks.table.file import Row, Table, read, write
from tests.benchmarks.table.training import rows_of, scored_at_rungs

SPACE = "sites"
RATE = 6e-3
"""The highest of the spaces: in 60 steps it tells sites apart by far the best."""


def bench_of(task: str, data: Path, steps: int) -> Workbench:
    """The backbone and a task, as the tables train it."""
    settings = Settings(
        dataset=str(data / task),
        space="lora",
        objectives=OBJECTIVES,
        steps=steps,
        pack=8,
        offline=True,
    )
    return workbench.build(settings)


def alone(bench: Workbench, site: str, *, rank: int, rate: float) -> Configuration:
    """LoRA at one linear."""
    settings = {**bench.modules["lora"].defaults, "rank": rank}
    return Configuration((Placement(site, "lora", settings),), rate)


def missing(
    bench: Workbench, table: Table, seed: int, options: argparse.Namespace
) -> Iterator[list[dict[str, Any]]]:
    """The points of every pack that the table lacks of a seed.

    The linears of one layer are trained together, so that all below them is computed once.
    """
    known = {(row.point["site"], row.point["learning_rate"], row.seed) for row in table.rows}
    for layer in reversed(range(len(bench.backbone.layers))):
        points = [
            {"site": site.name, "rank": options.rank, "learning_rate": options.rate}
            for site in bench.backbone.sites
            if site.kind == "linear" and site.layer == layer
            if (site.name, options.rate, seed) not in known
        ]
        if points:
            yield points


def trained(bench: Workbench, points: list[dict[str, Any]], seed: int) -> Iterator[Row]:
    """Train one pack."""
    evaluator = scored_at_rungs(bench.evaluator, seed)
    configurations = [
        alone(bench, point["site"], rank=point["rank"], rate=point["learning_rate"])
        for point in points
    ]
    for point, evaluation in zip(points, evaluator.evaluate(configurations), strict=True):
        yield from rows_of(evaluation, space=SPACE, point=point, seed=seed)


def train(task: str, seed: int, options: argparse.Namespace) -> None:
    """Train what the file of the task lacks of a seed."""
    bench = bench_of(task, options.data, options.steps)
    objectives, limits = chosen_objectives(OBJECTIVES), limits_of(bench)
    space = expanded(bench, catalog.spaces.load("lora"), {}, limits)
    facts = {**about.describe(bench, space, objectives, batch=8), "space": SPACE}
    path = options.folder / SPACE / f"{task}.parquet"
    table = anywhere(read(path).with_facts(SPACE, facts), options.data)
    for points in missing(bench, table, seed, options):
        table = table.with_rows(list(trained(bench, points, seed)))
        write(table, path)
        print(f"{task}, seed {seed}: {len(points)} more", flush=True)


def main() -> None:
    """Train the sites of every task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seeds", type=int, default=2, help="all tasks with one, then the next")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    for seed in range(options.seeds):
        for task in options.task or TASKS:
            train(task, seed, options)


if __name__ == "__main__":
    main()
