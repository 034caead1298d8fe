"""Samplers against each other on problems whose true fronts are known.

    python -m tests.benchmarks.samplers [--problem autopeft27] [--sampler ours] [--seeds 10]
        [--trials 100] [--batch 4] [--noiseless] [--folder FOLDER] [--output FILE.json]
        [--plot FILE.png]

Every sampler searches every problem with every seed, with and without our initial design. What
counts is the share of the true front's hypervolume that the true (noiseless) values of everything
tried so far reach after a quarter, a half and all of the trials; how many trials reach what random
and what the best other sampler reach in all; and the CPU seconds per suggestion after the design.
Optuna's samplers are shown sizes in their order and costs on the scale that ours reads them on
(`autopeft/optimiser/ordinal.py`). Searches that the output file already holds are not run again.
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
from autopeft.errors import AutoPeftError, UsageError
from autopeft.optimiser.designed import distributions
from tests.benchmarks import contests
from tests.benchmarks.contest import Contest
from tests.benchmarks.pool import in_pool, in_the_pool, nearest
from tests.benchmarks.rivals import RIVALS, Rival, ours
from tests.benchmarks.standings import DESIGNED, plot, summary, table

POOLED = 0.5
"""Share of a pool that is tried; the whole of it is the same for every sampler."""

EXACT = 1e-3
"""Standard error that samplers are told of values without noise."""


def run(contest: Contest, rival: Rival, *, seed: int, trials: int, batch: int) -> dict[str, Any]:
    """One search: the share of the hypervolume after every trial, and what suggesting cost."""
    rng = np.random.default_rng([seed, 1])
    problem = dataclasses.replace(contest.problem, seed=seed)
    study = optuna.create_study(directions=list(problem.directions))
    chosen = partial(in_the_pool, contest.pool) if contest.pool and rival is ours else rival
    trials = min(trials, int(POOLED * len(contest.pool))) if contest.pool else trials
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
        "shares": contest.shares(points),
        "seconds": statistics.fmean(after),
        "slowest": max(after),
        "duplicates": len(points) - len(set(points)),
    }


def _entry(name: str, sampler: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One search, in a process of its own."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    contest = contests.load(name, seed, folder=options.folder)
    if sampler.endswith(DESIGNED):
        problem = dataclasses.replace(contest.problem, design=contest.design)
        contest = dataclasses.replace(contest, problem=problem)
    if options.noiseless:
        contest = dataclasses.replace(
            contest, observe=lambda point, rng: (contest.truth(point), EXACT)
        )
    rival = RIVALS[sampler.removesuffix(DESIGNED)]
    found = run(contest, rival, seed=seed, trials=options.trials, batch=options.batch)
    return {"problem": name, "sampler": sampler, "seed": seed, **found}


def compete(
    options: argparse.Namespace, known: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Every search that is not known yet, as they finish in order."""
    done = {(entry["problem"], entry["sampler"], entry["seed"]) for entry in known}
    jobs = [
        (problem, sampler, seed, options)
        for problem in options.problem
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for sampler in options.sampler
        if (problem, sampler, seed) not in done
    ]
    if options.processes == 1:
        yield from (_entry(*job) for job in jobs)
        return
    with ProcessPoolExecutor(options.processes) as pool:
        for future in [pool.submit(_entry, *job) for job in jobs]:
            yield future.result()


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
        "noiseless": options.noiseless,
        "noise": "hypervolumes are of true values; samplers see noisy ones unless noiseless",
    }


def stored(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The searches of an earlier run with the same trials and batches; none without a file.

    Raises:
        UsageError: the file was measured with others.
    """
    if not options.output or not options.output.exists():
        return []
    rows = json.loads(options.output.read_text())
    for name in ("trials", "batch"):
        if rows["about"][name] != getattr(options, name):
            raise UsageError(
                f"`{options.output}` was measured with other {name}", hint="name another file"
            )
    found: list[dict[str, Any]] = rows["runs"]
    return found


def write(found: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """Everything so far as JSON."""
    runs = [{**entry, "shares": [round(share, 4) for share in entry["shares"]]} for entry in found]
    rows = {"about": about(options), "summary": summary(found), "runs": runs}
    options.output.write_text(json.dumps(rows) + "\n")


def searches(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Those of the output file and those that it lacks, each written as it ends.

    Raises:
        AutoPeftError: a problem, a package or the right output file is missing.
    """
    found = stored(options)
    for entry in compete(options, tuple(found)):
        found.append(entry)
        last = f"{entry['shares'][-1]:.3f}"
        print(f"{entry['problem']} {entry['sampler']} {entry['seed']}: {last}", flush=True)
        if options.output:
            write(found, options)
    return found


def main() -> None:
    """Run the competition, print the table, write the JSON and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", action="append", help=f"{contests.HELP}; repeatable")
    names = [*RIVALS, *(f"{name}{DESIGNED}" for name in RIVALS)]
    parser.add_argument(
        "--sampler", action="append", choices=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--noiseless", action="store_true", help="samplers see true values")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=contests.FOLDER, help="of the tables")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    options.problem = options.problem or list(contests.DEFAULT)
    quick = [name for name in RIVALS if name not in ("saas", "recipe")]
    options.sampler = options.sampler or [*quick, *(f"{name}{DESIGNED}" for name in quick)]
    try:
        found = searches(options)
    except AutoPeftError as error:
        parser.exit(error.exit_code, f"{error.message}; {error.hint}\n")
    print(table(summary(found)))
    if options.plot:
        asked = [entry for name in options.problem for entry in found if entry["problem"] == name]
        plot(asked, options.plot)


if __name__ == "__main__":
    main()
