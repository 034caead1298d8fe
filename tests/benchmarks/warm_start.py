"""What a warm start from another task of the table saves, and what an unrelated one costs.

    python -m tests.benchmarks.warm_start [--task trec] [--space mixed] [--seeds 10] [--trials 40]
                                          [--taught 100] [--folder FOLDER] [--output FILE]

For every pair of tasks and every seed, the default sampler searches the second task four times:
`cold`, with its initial design; `warm`, with what a search of the first task taught, taken as
`autopeft search --warm-start` takes it; `permuted`, the same with the scores of the first search
shuffled, as of a study that is unrelated; and `believed`, where nobody looks whether the shuffled
scores follow from their configurations. Scores that are refused leave the search as it is without
them. All ask the table's ensembles. Printed: how often scores are refused, and after how many
trials each reaches shares of the true front's hypervolume, and what a random search with our design
has after as many trials as the earlier search, as shares of the trials that `cold` needs, medians
over the seeds; a goal that is not reached counts as one trial more than there were. Besides, what
trying the same again would bring: the share of the second task's hypervolume that the front of the
earlier search, and all that it tried, reach there. Spaces and seeds that the output file already
holds are not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from autopeft import catalog, pareto
from autopeft.errors import UsageError
from autopeft.search.design import design
from autopeft.search.seeding import seeds
from autopeft.search.transfer import Lesson, WarmStart, prior_of, warm_start
from autopeft.types import Backbone, Direction, Measured, PeftModule, Point
from tests.benchmarks.contest import Contest
from tests.benchmarks.rivals import RIVALS, Rival, ours
from tests.benchmarks.samplers import run
from tests.benchmarks.table import contest as table
from tests.benchmarks.table.contest import Source

Judge = Callable[[Lesson, Backbone, Mapping[str, PeftModule]], WarmStart]
"""Makes a prior of a lesson, or refuses to."""
Entry = dict[str, Any]
"""The searches of one pair and seed, or a summary of some."""

TASKS = ("trec", "banking77", "sst2")
SPACES = ("autopeft", "lora", "mixed")
ARMS = ("warm", "permuted", "believed")
REFUSED = "refused"
COSTS = 1
BATCH = 4
GOALS = (0.25, 0.5, 0.75, 0.9)
"""Shares of the true front's hypervolume."""
RANDOM = "random"
"""The goal that is what a random search reaches."""
EARLIER = ("earlier_front", "earlier_trials")
"""What of the earlier search is tried on the second task to see how much could carry over."""


@dataclass(frozen=True)
class Search:
    """A search of one task without any earlier study."""

    source: Source
    points: tuple[Point, ...]
    observed: tuple[tuple[float, float], ...]
    """Value and standard error of every point."""
    shares: tuple[float, ...]


def cold(source: Source, seed: int, trials: int, rival: Rival = ours) -> Search:
    """Search a task with its own initial design."""
    told: list[tuple[Point, tuple[float, float]]] = []
    contest = taught(table.contest(source, "surrogate", seed), source, None)

    def observe(point: Point, rng: np.random.Generator) -> tuple[float, float]:
        told.append((point, contest.observe(point, rng)))
        return told[-1][1]

    recorded = dataclasses.replace(contest, observe=observe)
    shares = run(recorded, rival, seed=seed, trials=trials, batch=BATCH)["shares"]
    points, observed = zip(*told, strict=True)
    return Search(source, points, observed, tuple(shares))


def lesson(search: Search, count: int, rng: np.random.Generator, *, permuted: bool) -> Lesson:
    """What the first trials of a search teach."""
    source, points, observed = search.source, search.points[:count], search.observed[:count]
    configurations = tuple(map(source.space.decode, points))
    order = rng.permutation(len(observed)) if permuted else range(len(observed))
    scores = tuple(Measured(*observed[i]) for i in order)
    costs = [source.prices.of(configuration).costs for configuration in configurations]
    rows = [(score.value, *cost) for score, cost in zip(scores, costs, strict=True)]
    ways: list[Direction] = ["maximize"]
    ways += ["minimize" for _ in costs[0]]
    front = tuple(sorted(pareto.front(rows, ways), key=lambda i: costs[i]))
    return Lesson(source.task, source.backbone, configurations, scores, front)


def taught(
    contest: Contest, target: Source, given: Lesson | None, judge: Judge = warm_start
) -> Contest:
    """The contest with the design, and the prior, that a search would have.

    Raises:
        UsageError: the lesson is refused.
    """
    problem = contest.problem
    if given is not None:
        prior = judge(given, target.backbone, catalog.modules.all())
        problem = dataclasses.replace(problem, prior=prior)
    size, limit = problem.stratify, target.limit
    first = seeds(given, target.backbone, size=size, limit=limit) if given else ()
    points = design(
        problem,
        target.backbone,
        limit=int(target.limit),
        importance=target.importance,
        seeds=first,
    ).points
    return dataclasses.replace(contest, problem=dataclasses.replace(problem, design=points))


def compare(
    first: Search, second: Search, chance: Search, seed: int, options: argparse.Namespace
) -> Entry:
    """The shares after every trial of the second task, with and without what the first taught.

    Args:
        first: of the task that teaches.
        second: of the other task.
        chance: a random search of the other task.
        seed: of all of them.
        options: of the command.
    """
    target = second.source
    found = {"source": first.source.task, "target": target.task, "space": target.space_name}
    entry: Entry = {**found, "seed": seed, "cold": second.shares[: options.trials]}
    entry[RANDOM] = chance.shares[-1]
    told = lesson(first, options.taught, np.random.default_rng(0), permuted=False)
    kinds = [first.points[i] for i in told.front], first.points[: options.taught]
    there = table.contest(target, "surrogate", seed)
    for kind, points in zip(EARLIER, kinds, strict=True):
        entry[kind] = there.shares(points)[-1]
    entry[REFUSED] = []
    for arm in ARMS:
        rng = np.random.default_rng([seed, 7])
        given = lesson(first, options.taught, rng, permuted=arm != "warm")
        judge = prior_of if arm == "believed" else warm_start
        try:
            contest = taught(table.contest(target, "surrogate", seed), target, given, judge)
        except UsageError:
            entry[REFUSED].append(arm)
            entry[arm] = entry["cold"]
        else:
            entry[arm] = run(contest, ours, seed=seed, trials=options.trials, batch=BATCH)["shares"]
    return entry


def trials_to(shares: Sequence[float], goal: float) -> int:
    """The first trial that reaches the goal; one more than all when none does."""
    return next((n for n, share in enumerate(shares, 1) if share >= goal), len(shares) + 1)


def summary(found: Sequence[Entry]) -> Iterator[Entry]:
    """Medians over the seeds of every pair and space, and over everything."""
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for one in found:
        groups.setdefault((one["source"], one["target"], one["space"]), []).append(one)
    for (source, target, space), mine in [*groups.items(), (("all", "all", "all"), list(found))]:
        row: Entry = {"source": source, "target": target, "space": space, "runs": len(mine)}
        for goal in (*GOALS, RANDOM, EARLIER[-1]):
            levels = [one[goal] if isinstance(goal, str) else goal for one in mine]
            pairs = list(zip(mine, levels, strict=True))
            needed = [trials_to(one["cold"], level) for one, level in pairs]
            row[f"cold_trials_to_{goal}"] = statistics.median(needed)
            for arm in ARMS:
                reached = [trials_to(one[arm], level) for one, level in pairs]
                shares = [one / other for one, other in zip(reached, needed, strict=True)]
                row[f"{arm}_share_to_{goal}"] = round(statistics.median(shares), 3)
        for kind in (RANDOM, *EARLIER):
            row[kind] = round(statistics.median(one[kind] for one in mine), 3)
        for arm in ARMS:
            ends = [one[arm][-1] - one["cold"][-1] for one in mine]
            row[f"{arm}_end"] = round(statistics.median(ends), 4)
            row[f"{arm}_refused"] = sum(arm in one[REFUSED] for one in mine)
        yield row


def words(row: Entry) -> str:
    """One line."""
    parts = [
        f"{goal if goal == RANDOM else format(goal, '.0%')}: "
        f"{row[f'cold_trials_to_{goal}']:g} trials, "
        + ", ".join(f"{arm} {row[f'{arm}_share_to_{goal}']:.2f}" for arm in ARMS)
        for goal in (*GOALS, RANDOM)
    ]
    refused = ", ".join(f"{arm} {row[f'{arm}_refused']}" for arm in ARMS[:2])
    ends = ", ".join(f"{arm} {row[f'{arm}_end']:+.3f}" for arm in ARMS)
    there = f"the earlier front comes to {row[EARLIER[0]]:.2f} there, all trials to "
    there += f"{row[EARLIER[1]]:.2f} (cold: {row[f'cold_trials_to_{EARLIER[1]}']:g} trials)"
    pair = f"{row['source']} -> {row['target']}, {row['space']}"
    head = f"{pair}, refused of {row['runs']}: {refused}"
    return f"{head}; {'; '.join(parts)}; end: {ends}; {there}"


def stored(options: argparse.Namespace) -> list[Entry]:
    """The searches of an earlier run; none without a file."""
    if not options.output or not options.output.exists():
        return []
    found: list[Entry] = json.loads(options.output.read_text())["runs"]
    return found


def main() -> None:
    """Run every pair, print medians, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--space", action="append")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--taught", type=int, default=100, help="trials of the earlier search")
    parser.add_argument("--folder", type=Path, default=table.FOLDER)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    found = stored(options)
    longest = max(options.trials, options.taught)
    done = {(one["space"], one["seed"]) for one in found}
    for space, seed in product(options.space or SPACES, range(options.seeds)):
        if (space, seed) in done:
            continue
        sources = [
            table.source(task, space, COSTS, folder=options.folder)
            for task in options.task or TASKS
        ]
        searches = [
            (cold(one, seed, longest), cold(one, seed, options.taught, RIVALS[RANDOM]))
            for one in sources
        ]
        for (first, _), (second, chance) in permutations(searches, 2):
            found.append(compare(first, second, chance, seed, options))
            print(words(next(summary(found[-1:]))), flush=True)
        if options.output:
            rows = {"summary": list(summary(found)), "runs": found}
            options.output.write_text(json.dumps(rows) + "\n")
    print()
    for row in summary(found):
        print(words(row))


if __name__ == "__main__":
    main()
