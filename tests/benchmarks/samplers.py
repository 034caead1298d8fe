"""Samplers against each other on problems whose true fronts are known.

    python -m tests.benchmarks.samplers [--problem autopeft27] [--sampler ours] [--seeds 10]
                                        [--trials 100] [--batch 4] [--output FILE] [--plot FILE]

Every sampler searches every problem with every seed, with and without our initial design. What
counts is the share of the true front's hypervolume that the true (noiseless) values of everything
tried so far reach, after 25, 50 and 100 trials; how many trials reach what random reaches in all;
and the CPU seconds per suggestion after the design.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from autopeft import digest
from autopeft.optimiser.designed import distributions
from tests.benchmarks import contests
from tests.benchmarks.contest import Contest
from tests.benchmarks.pool import in_pool, in_the_pool, nearest
from tests.benchmarks.rivals import RIVALS, Rival, ours

CHECKPOINTS = (25, 50, 100)
DESIGNED = "+design"
"""Suffix of a sampler that starts from our initial design."""


def run(contest: Contest, rival: Rival, *, seed: int, trials: int, batch: int) -> dict[str, Any]:
    """One search: the share of the hypervolume after every trial, and what suggesting cost."""
    rng = np.random.default_rng([seed, 1])
    problem = dataclasses.replace(contest.problem, seed=seed)
    study = optuna.create_study(directions=list(problem.directions))
    chosen = partial(in_the_pool, contest.pool) if contest.pool and rival is ours else rival
    points, seconds = [], []
    while len(points) < trials:
        asked = []
        for _ in range(min(batch, trials - len(points))):
            started = time.process_time()
            study.sampler = chosen(problem, digest.seed_of(seed, len(points)) % 2**31)
            trial = study.ask(fixed_distributions=distributions(problem.space))
            seconds.append(time.process_time() - started)
            point = problem.space.point(trial.params)
            if contest.pool:
                trial, point = in_pool(study, trial, problem, nearest(contest, point, points))
            asked.append((trial, point))
            points.append(point)
        for trial, point in asked:
            value, error = contest.observe(point, rng)
            trial.set_user_attr("errors", [error, *[0.0] * len(problem.limits)])
            study.tell(trial, [value, *contest.costs(point)])
    after = seconds[len(problem.design) :]
    return {
        "shares": [contest.share(points[: n + 1]) for n in range(trials)],
        "seconds": statistics.fmean(after),
        "slowest": max(after),
        "duplicates": len(points) - len(set(points)),
    }


def _entry(name: str, sampler: str, seed: int, trials: int, batch: int) -> dict[str, Any]:
    """One search, in a process of its own."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    contest = contests.load(name, seed)
    if sampler.endswith(DESIGNED):
        problem = dataclasses.replace(contest.problem, design=contest.design)
        contest = dataclasses.replace(contest, problem=problem)
    rival = RIVALS[sampler.removesuffix(DESIGNED)]
    found = run(contest, rival, seed=seed, trials=trials, batch=batch)
    return {"problem": name, "sampler": sampler, "seed": seed, **found}


def compete(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every search, as they finish in order."""
    jobs = [
        (problem, sampler, seed, options.trials, options.batch)
        for problem in options.problem
        for sampler in options.sampler
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]
    if options.processes == 1:
        yield from (_entry(*job) for job in jobs)
        return
    with ProcessPoolExecutor(options.processes) as pool:
        for future in [pool.submit(_entry, *job) for job in jobs]:
            yield future.result()


def summary(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians over the seeds, per problem and sampler; the best first."""
    rows = []
    for problem in dict.fromkeys(entry["problem"] for entry in found):
        mine = [entry for entry in found if entry["problem"] == problem]
        goal = _goal([e for e in mine if e["sampler"] == "random"])
        for sampler in dict.fromkeys(entry["sampler"] for entry in mine):
            rows.append(_row([e for e in mine if e["sampler"] == sampler], goal))
    return sorted(rows, key=lambda row: (row["problem"], -row["final"]))


def _goal(random: Sequence[dict[str, Any]]) -> float | None:
    """What random reaches in all, in the median."""
    return statistics.median(e["shares"][-1] for e in random) if random else None


def _row(mine: Sequence[dict[str, Any]], goal: float | None) -> dict[str, Any]:
    shares = [entry["shares"] for entry in mine]
    finals = [each[-1] for each in shares]
    row = {key: mine[0][key] for key in ("problem", "sampler")} | {"seeds": len(mine)}
    for count in CHECKPOINTS:
        if count <= len(shares[0]):
            row[f"after_{count}"] = statistics.median(each[count - 1] for each in shares)
    row |= {"final": statistics.median(finals), "least": min(finals), "most": max(finals)}
    row["seconds"] = statistics.median(entry["seconds"] for entry in mine)
    row["slowest"] = max(entry["slowest"] for entry in mine)
    row["duplicates"] = statistics.fmean(entry["duplicates"] for entry in mine)
    if goal is not None:
        median = [statistics.median(column) for column in zip(*shares, strict=True)]
        row["trials_to_random"] = next((n for n, m in enumerate(median, 1) if m >= goal), None)
    return row


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The summary as lines of text."""
    lines = []
    for row in rows:
        marks = "  ".join(
            f"{c}: {row[f'after_{c}']:.3f}" for c in CHECKPOINTS if f"after_{c}" in row
        )
        lines.append(
            f"{row['problem']:14s} {row['sampler']:18s} n={row['seeds']:<3d} {marks}"
            f"  ({row['least']:.3f} to {row['most']:.3f})"
            f"  trials to random {row.get('trials_to_random') or '-':>4}"
            f"  {row['seconds']:.2f} s CPU each, at most {row['slowest']:.2f}"
        )
    return "\n".join(lines)


def plot(found: Sequence[dict[str, Any]], path: Path) -> None:
    """Median share over trials with the range of the seeds, one panel per problem, as HTML."""
    from plotly.colors import qualitative
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    problems = list(dict.fromkeys(entry["problem"] for entry in found))
    samplers = list(dict.fromkeys(entry["sampler"] for entry in found))
    figure = make_subplots(rows=1, cols=len(problems), subplot_titles=problems, shared_yaxes=True)
    for column, problem in enumerate(problems, 1):
        for index, sampler in enumerate(samplers):
            shares = [
                e["shares"] for e in found if (e["problem"], e["sampler"]) == (problem, sampler)
            ]
            if shares:
                line = {"color": qualitative.Dark24[index % 24]}
                median = np.median(np.array(shares), axis=0)
                trace = Scatter(
                    x=list(range(1, len(median) + 1)),
                    y=median,
                    name=sampler,
                    line=line,
                    legendgroup=sampler,
                    showlegend=column == 1,
                )
                figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(title_text="trials")
    figure.update_yaxes(title_text="share of the true front's hypervolume", col=1)
    figure.write_html(path, include_plotlyjs="cdn")


def about(options: argparse.Namespace) -> dict[str, Any]:
    """How it was measured."""
    packages = ("autopeft", "optuna", "optuna-integration", "botorch", "torch", "scipy")
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {options.processes} processes",
        "load": os.getloadavg()[0],
        "versions": versions,
        "trials": options.trials,
        "batch": options.batch,
        "noise": "hypervolumes are of true values; samplers see noisy ones",
    }


def main() -> None:
    """Run the competition, print the table, write the JSON and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", action="append", help=contests.HELP)
    parser.add_argument(
        "--sampler", action="append", help=f"any of {', '.join(RIVALS)}, {DESIGNED}"
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    options.problem = options.problem or list(contests.DEFAULT)
    quick = [name for name in RIVALS if name != "saas"]
    options.sampler = options.sampler or [*quick, *(f"{name}{DESIGNED}" for name in quick)]
    found = []
    for entry in compete(options):
        found.append(entry)
        print(f"{entry['problem']} {entry['sampler']} {entry['seed']}: {entry['shares'][-1]:.3f}")
        if options.output:
            rows = {"about": about(options), "summary": summary(found), "runs": found}
            options.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(summary(found)))
    if options.plot:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
