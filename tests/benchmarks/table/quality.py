"""How far the surrogates of the tables can be trusted.

    python -m tests.benchmarks.table.quality [--task trec] [--space lora] [--folder FOLDER]

For every table: configurations, cross-validated error and rank correlation of the surrogate, spread
of the scores, and noise of one training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from autopeft.errors import UsageError
from tests.benchmarks.table.build import SPACES, TASKS
from tests.benchmarks.table.contest import FOLDER, quality, source


def main() -> None:
    """Print one line of JSON per table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--space", action="append")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    for task in options.task or TASKS:
        for space in options.space or SPACES:
            try:
                found = quality(source(task, space, 1, folder=options.folder))
            except UsageError as error:
                print(error)
                continue
            rounded = {name: round(value, 4) for name, value in found.items()}
            print(json.dumps({"task": task, "space": space, **rounded}))


if __name__ == "__main__":
    main()
