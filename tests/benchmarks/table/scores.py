"""Score the sites of every task with the importance methods, for the contest and for comparison.

    python -m tests.benchmarks.table.scores [--task trec] [--method spt] [--folder FOLDER]

Writes `sites/TASK.json` in the folder: method -> scores. What is there is not scored again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

from autopeft import catalog
from autopeft.scoring import site_scores
from autopeft.types import Scores
from tests.benchmarks.table.build import DATA, FOLDER, TASKS
from tests.benchmarks.table.sites import SPACE, bench_of


def read(folder: Path, task: str) -> dict[str, Scores]:
    """Method -> scores of the linears; empty where none were stored."""
    path = _path(folder, task)
    stored = json.loads(path.read_text()) if path.exists() else {}
    return {name: site_scores.from_json(scores) for name, scores in stored.items()}


def write(folder: Path, task: str, found: Mapping[str, Scores]) -> None:
    """Store the scores of every method."""
    path = _path(folder, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: site_scores.to_json(scores) for name, scores in found.items()}
    path.write_text(json.dumps(plain) + "\n")


def _path(folder: Path, task: str) -> Path:
    return folder / SPACE / f"{task}.json"


def main() -> None:
    """Score what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--method", action="append")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    for task in options.task or TASKS:
        found = read(options.folder, task)
        bench = bench_of(task, options.data, options.steps)
        for method in options.method or catalog.importance.names():
            if method not in found:
                started = time.process_time()
                found[method] = site_scores.score_sites(bench, method)
                write(options.folder, task, found)
                print(f"{task} {method}: {time.process_time() - started:.0f} s CPU", flush=True)


if __name__ == "__main__":
    main()
