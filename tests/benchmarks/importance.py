"""Do importance scores foresee what a site is worth alone? Rank correlation with real trainings.

    python -m tests.benchmarks.importance [--task trec] [--folder FOLDER] [--output FILE]

The truth is a LoRA module trained at one linear at a time (`tests.benchmarks.table.sites`), as the
score on search-validation and as the training loss at the end. Every method's scores
(`tests.benchmarks.table.scores`) are ranked against it, with an interval from resampled sites, and
so are guesses that need no gradient: the depth of a site, its size, both, and chance.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autopeft.scoring.comparison import rank_correlation
from autopeft.study import about
from autopeft.types import Backbone
from tests.benchmarks.table import scores
from tests.benchmarks.table.build import FOLDER, TASKS
from tests.benchmarks.table.file import Table, read
from tests.benchmarks.table.sites import SPACE

RESAMPLES = 1000
LEVEL = 0.95
Sites = Mapping[str, float]
"""Site -> number."""


def truth(table: Table, column: str) -> dict[str, list[float]]:
    """Site -> what its trainings came to at the end, one number per seed; more is better."""
    sign = -1 if column == "train_loss" else 1
    found: dict[str, list[float]] = {}
    for row in table.rows:
        if row.share == 1.0:
            found.setdefault(str(row.point["site"]), []).append(sign * getattr(row, column))
    return found


def guesses(backbone: Backbone) -> dict[str, dict[str, float]]:
    """What anybody would say without looking at weights or data."""
    linears = [site for site in backbone.sites if site.kind == "linear"]
    rng = np.random.default_rng(0)
    return {
        "(depth)": {s.name: float(s.layer) for s in linears},
        "(size)": {s.name: float(s.in_features * s.out_features) for s in linears},
        "(chance)": {s.name: float(rng.random()) for s in linears},
    }


def interval(mine: Sites, true: Sites) -> tuple[float, float]:
    """Of the rank correlation, by resampling sites."""
    names, rng = list(true), np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        drawn = [names[i] for i in rng.integers(len(names), size=len(names))]
        numbered = list(enumerate(drawn))
        value = rank_correlation(
            {str(i): true[name] for i, name in numbered},
            {str(i): mine[name] for i, name in numbered},
        )
        found.append(value)
    low, high = np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def agreement(runs: Mapping[str, Sequence[float]]) -> float:
    """Rank correlation of the truth between its first two seeds; NaN with one seed.

    No score can be expected to come much closer to the truth than the truth to itself.
    """
    if min(map(len, runs.values())) < 2:
        return math.nan
    pairs = [{name: values[i] for name, values in runs.items()} for i in (0, 1)]
    return rank_correlation(pairs[0], pairs[1])


def compared(task: str, folder: Path) -> Iterator[dict[str, Any]]:
    """One row per truth and method, the best first."""
    table = read(folder / SPACE / f"{task}.parquet")
    backbone = about.backbone(table.facts[SPACE])
    known = {name: found.site for name, found in scores.read(folder, task).items()}
    for column in ("score", "train_loss"):
        runs = truth(table, column)
        true = {name: statistics.fmean(values) for name, values in runs.items()}
        rows = []
        for method, mine in {**known, **guesses(backbone)}.items():
            low, high = interval(mine, true)
            rows.append(
                {
                    "task": task,
                    "truth": column,
                    "method": method,
                    "spearman": rank_correlation(true, mine),
                    "low": low,
                    "high": high,
                    "sites": len(true),
                    "seeds": min(map(len, runs.values())),
                    "between_seeds": agreement(runs),
                }
            )
        yield from sorted(rows, key=lambda row: -row["spearman"])


def means(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean rank correlation of every method over the tasks it scored, and the least of them."""
    found = []
    for column in dict.fromkeys(row["truth"] for row in rows):
        for method in dict.fromkeys(row["method"] for row in rows):
            values = [r["spearman"] for r in rows if (r["truth"], r["method"]) == (column, method)]
            found.append(
                {
                    "truth": column,
                    "method": method,
                    "mean": statistics.fmean(values),
                    "least": min(values),
                    "tasks": len(values),
                }
            )
    return sorted(found, key=lambda row: (row["truth"], -row["mean"]))


def main() -> None:
    """Print one line per task, truth and method, then the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    trained = [task for task in TASKS if (options.folder / SPACE / f"{task}.parquet").exists()]
    rows = [row for task in options.task or trained for row in compared(task, options.folder)]
    for row in rows:
        print(
            f"{row['task']:10s} {row['truth']:10s} {row['method']:11s} {row['spearman']:+.2f}"
            f"  ({row['low']:+.2f} to {row['high']:+.2f})  {row['sites']} sites"
        )
    for row in means(rows):
        print(
            f"all tasks  {row['truth']:10s} {row['method']:11s} {row['mean']:+.2f}"
            f"  (least {row['least']:+.2f}, {row['tasks']} tasks)"
        )
    if options.output:
        plain = [{k: None if v != v else v for k, v in row.items()} for row in rows]
        document = json.dumps({"rows": plain, "means": means(rows)}, indent=1, allow_nan=False)
        options.output.write_text(document + "\n")


if __name__ == "__main__":
    main()
