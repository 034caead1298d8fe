"""What a warm start from another task of the table saves, and what an unrelated one costs.

    python -m tests.benchmarks.warm_start [--space mixed] [--mode surrogate] [--seeds 10]
                                          [--trials 50] [--taught 40] [--folder DIR] [--output FILE]

For every pair of tasks and every seed, the default sampler searches the second task three times:
`cold`, with its initial design; `warm`, with a prior and first configurations from trials of the
first task as `autopeft search --warm-start` takes them; and `permuted`, the same with the scores of
those trials shuffled, as of a source that is unrelated. Printed: after how many trials each reaches
the hypervolume that the cold search has early and in the end, as a share of the cold one's trials.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from autopeft import catalog, pareto
from autopeft.design import design
from autopeft.transfer import Lesson, seeds, warm_start
from autopeft.types import Measured
from tests.benchmarks.contest import Contest
from tests.benchmarks.rivals import ours
from tests.benchmarks.samplers import run
from tests.benchmarks.table import contest as table
from tests.benchmarks.table.contest import Source

TASKS = ("trec", "banking77", "sst2")
ARMS = ("cold", "warm", "permuted")
COSTS = 1
EARLY = (8, 20)
"""Trials of the cold search whose hypervolume is a goal, besides that of all."""


def lesson(source: Source, count: int, rng: np.random.Generator, *, permuted: bool) -> Lesson:
    """Some trials of a task, chosen at random, each with one of its seeds."""
    chosen = rng.permutation(len(source.entries))[:count]
    entries = [source.entries[i] for i in chosen]
    scores = [entry.scores[int(rng.integers(len(entry.scores)))] for entry in entries]
    if permuted:
        scores = rng.permutation(scores).tolist()
    rows = [(score, entry.trainable) for score, entry in zip(scores, entries, strict=True)]
    front = pareto.front(rows, ("maximize", "minimize"))
    space = source.space
    return Lesson(
        source.task,
        source.backbone,
        tuple(space.decode(space.point(entry.point)) for entry in entries),
        tuple(Measured(s, entry.error) for s, entry in zip(scores, entries, strict=True)),
        tuple(sorted(front, key=lambda i: rows[i][1])),
    )


def taught(contest: Contest, target: Source, given: Lesson | None) -> Contest:
    """The contest with the design, and the prior, that a search would have."""
    problem = contest.problem
    if given is not None:
        prior = warm_start(given, target.backbone, catalog.modules.all())
        problem = dataclasses.replace(problem, prior=prior)
    first = seeds(given, target.backbone) if given else ()
    points = design(
        problem,
        target.backbone,
        limit=int(target.limit),
        importance=target.importance,
        seeds=first,
    ).points
    return dataclasses.replace(contest, problem=dataclasses.replace(problem, design=points))


def compare(
    pair: tuple[str, str], space: str, seed: int, options: argparse.Namespace
) -> dict[str, Any]:
    """The shares after every trial of the three arms."""
    load = partial(table.source, space_name=space, costs=COSTS, folder=options.folder)
    source, target = (load(task) for task in pair)
    found: dict[str, Any] = {"source": pair[0], "target": pair[1], "space": space, "seed": seed}
    for arm in ARMS:
        rng = np.random.default_rng([seed, 7])
        given = (
            None
            if arm == "cold"
            else lesson(source, options.taught, rng, permuted=arm == "permuted")
        )
        contest = taught(table.contest(target, options.mode, seed), target, given)
        one = run(contest, ours, seed=seed, trials=options.trials, batch=4)
        found[arm] = one["shares"]
    return found


def trials_to(shares: Sequence[float], goal: float) -> int:
    """The first trial that reaches the goal; one more than all when none does."""
    return next((n for n, share in enumerate(shares, 1) if share >= goal), len(shares) + 1)


def needed(found: Sequence[dict[str, Any]], arm: str, count: int) -> float:
    """Trials to what the cold search has after so many, as a share of the cold one's; median."""
    goals = [(one, one["cold"][count - 1]) for one in found]
    return statistics.median(
        trials_to(one[arm], goal) / trials_to(one["cold"], goal) for one, goal in goals
    )


def summary(found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Medians over the seeds of every pair and space, and over everything."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault((one["source"], one["target"], one["space"]), []).append(one)
    for (source, target, space), mine in [*groups.items(), (("all", "all", "all"), found)]:
        row: dict[str, Any] = {"source": source, "target": target, "space": space}
        for arm in ARMS[1:]:
            row[f"{arm}_trials"] = needed(mine, arm, len(mine[0]["cold"]))
            row |= {f"{arm}_trials_to_{early}": needed(mine, arm, early) for early in EARLY}
            row[f"{arm}_end"] = statistics.median(one[arm][-1] - one["cold"][-1] for one in mine)
        yield row


def main() -> None:
    """Run every pair, print medians, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--space", action="append")
    parser.add_argument("--mode", choices=("pool", "surrogate"), default="surrogate")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--taught", type=int, default=40, help="trials of the earlier study")
    parser.add_argument("--folder", type=Path, default=table.FOLDER)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    found = []
    for pair in permutations(options.task or TASKS, 2):
        for space in options.space or ("autopeft", "lora", "mixed"):
            for seed in range(options.seeds):
                found.append(compare(pair, space, seed, options))
                if options.output:
                    rows = {"summary": list(summary(found)), "runs": found}
                    options.output.write_text(json.dumps(rows, indent=1) + "\n")
    for row in summary(found):
        print(
            f"{row['source']} -> {row['target']}, {row['space']}: warm needs "
            f"{row['warm_trials']:.2f} of the cold search's trials ({row['warm_end']:+.3f} in the "
            f"end), permuted {row['permuted_trials']:.2f} ({row['permuted_end']:+.3f}); "
            + ", ".join(f"{row[f'warm_trials_to_{n}']:.2f} to what it has after {n}" for n in EARLY)
        )


if __name__ == "__main__":
    main()
