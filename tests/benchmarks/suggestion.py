"""CPU seconds per suggestion of the default sampler after many trials.

    python -m tests.benchmarks.suggestion [--problem rank150] [--trials 200] [--count 16]

Trials are spread over the budget and told with noise; then `count` suggestions are asked for and
told one by one, refits included, with parameters and memory as exact costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

import numpy as np
import optuna

from autopeft import catalog, digest
from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.designed import distributions
from autopeft.optimiser.grid import Grid
from autopeft.optimiser.initial_design import draw
from autopeft.optimiser.problem import Problem
from autopeft.types import Point
from tests.benchmarks.surface import NOISE, SHAPES, Surface
from tests.benchmarks.surface_contest import problem_of


def told(surface: Surface, problem: Problem, point: Point, rng: np.random.Generator) -> list[float]:
    """A noisy accuracy and the exact costs."""
    value = float(surface.accuracy(Grid(surface.space).array([point]))[0]) + NOISE * rng.normal()
    return [value, *problem.costs(problem.space.decode(point))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", choices=list(SHAPES), default="rank150")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--count", type=int, default=16)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    surface, rng = Surface(options.problem), np.random.default_rng(0)
    problem = problem_of(surface, 2)
    study = optuna.create_study(directions=list(problem.directions))
    space = distributions(problem.space)
    known = draw(Candidates(problem), 2 * options.trials, rng)[: options.trials]
    for candidate in known:
        params = problem.space.values(candidate.point)
        values = told(surface, problem, candidate.point, rng)
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=space, values=values)
        )
    seconds = []
    for number in range(options.count + 1):
        started = time.process_time()
        seed = digest.seed_of(0, number) % 2**31
        study.sampler = catalog.samplers.load("gp").build(problem, seed)
        trial = study.ask(fixed_distributions=space)
        seconds.append(time.process_time() - started)
        study.tell(trial, told(surface, problem, problem.space.point(trial.params), rng))
    found = {
        "problem": options.problem,
        "dimensions": len(problem.space.dimensions),
        "objectives": len(problem.directions),
        "trials": len(known),
        "first": seconds[0],
        "mean": statistics.fmean(seconds[1:]),
        "median": statistics.median(seconds[1:]),
        "most": max(seconds[1:]),
        "load": os.getloadavg()[0],
    }
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}))


if __name__ == "__main__":
    main()
