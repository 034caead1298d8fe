"""How well the optimiser's process predicts real trainings that it has not seen, on the table.

    python -m tests.benchmarks.prediction [--task trec] [--space lora] [--folder FOLDER]
        [--output FILE]

Cross-validated five-fold in four random orders, for the process as shipped, for one whose columns
of size and learning rate are like all others, for one without any column of size, and for the trees
that stand for the truth in `table.answers`. Printed are Spearman's rank correlation, the root mean
squared error, and the mean log density of the scores left out.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.model_selection import KFold

from autopeft.errors import UsageError
from autopeft.optimiser import gp, surrogate
from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.hyperparameters import Data
from tests.benchmarks.table.answers import FOLDS, ensemble
from tests.benchmarks.table.build import SPACES, TASKS
from tests.benchmarks.table.contest import FOLDER, Source, problem_of, source

ORDERS = 4
Column = NDArray[np.float64]
Predict = Callable[[Data, Column], tuple[Column, Column]]
"""(known, rows asked for) -> means and deviations."""


def table(found: Source) -> Data:
    """All configurations of a task and a space, as the surrogate sees them."""
    problem = problem_of(found, 0)
    points = [problem.space.point(entry.point) for entry in found.entries]
    candidates = Candidates(replace(problem, worth=None))
    rows = gp.rows_of(candidates, candidates.describe(points))
    errors = [entry.error / math.sqrt(len(entry.scores)) for entry in found.entries]
    scores = tuple(entry.score for entry in found.entries)
    return Data(tuple(map(tuple, rows.tolist())), scores, tuple(errors), short=2)


def shipped(known: Data, asked: Column) -> tuple[Column, Column]:
    """The process of the default sampler."""
    found = surrogate.fit(known)
    assert found is not None
    mean, deviation = found.mean_and_deviation(asked)
    return mean.numpy(), deviation.numpy()


def alike(known: Data, asked: Column) -> tuple[Column, Column]:
    """All columns with the same prior."""
    return shipped(replace(known, short=0), asked)


def sizeless(known: Data, asked: Column) -> tuple[Column, Column]:
    """All columns with the same prior, and none of them the size."""
    rows = tuple(row[1:] for row in known.rows)
    return shipped(replace(known, rows=rows, short=0), asked[:, 1:])


def trees(known: Data, asked: Column) -> tuple[Column, Column]:
    """The ensemble; its deviation is its error on what it was fitted to."""
    rows, values = np.array(known.rows), np.array(known.values)
    model = ensemble().fit(rows, values)
    deviation = float(np.sqrt(np.mean((model.predict(rows) - values) ** 2)))
    return np.asarray(model.predict(asked)), np.full(len(asked), deviation)


MODELS: dict[str, Predict] = {
    "shipped": shipped,
    "all columns alike": alike,
    "without size": sizeless,
    "trees": trees,
}


def measure(data: Data, predict: Predict) -> dict[str, float]:
    """Means over the orders."""
    rows, values, errors = (np.array(part) for part in (data.rows, data.values, data.errors))
    found = []
    for order in range(ORDERS):
        means, densities = np.zeros(len(values)), np.zeros(len(values))
        for known, asked in KFold(FOLDS, shuffle=True, random_state=order).split(rows):
            part = replace(
                data,
                rows=tuple(data.rows[i] for i in known),
                values=tuple(data.values[i] for i in known),
                errors=tuple(data.errors[i] for i in known),
            )
            means[asked], deviations = predict(part, rows[asked])
            spread = np.hypot(deviations, errors[asked])
            densities[asked] = -0.5 * ((values - means)[asked] / spread) ** 2 - np.log(spread)
        rmse = float(np.sqrt(np.mean((means - values) ** 2)))
        found.append((float(spearmanr(means, values)[0]), rmse, float(densities.mean())))
    names = ("spearman", "rmse", "log_density")
    return dict(zip(names, np.round(np.mean(found, axis=0), 4).tolist(), strict=True))


def main() -> None:
    """Print one line of JSON per table and model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--space", action="append")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for task in options.task or TASKS:
        for space in options.space or SPACES:
            try:
                data = table(source(task, space, 1, worth=False, folder=options.folder))
            except UsageError as error:
                print(error)
                continue
            for name, predict in MODELS.items():
                facts = {"task": task, "space": space, "rows": len(data.values), "model": name}
                rows.append(facts | measure(data, predict))
                print(json.dumps(rows[-1]), flush=True)
    if options.output:
        options.output.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
