"""Scores with errors over what is shipped, one panel per task and protocol, as a picture.

python -m tests.benchmarks.allocation_plot RESULT.json ... --output FILE.png
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PLAIN = ("LoRA", "uniform", "search", "head only")
"""Arms drawn in black: what the allocators are held against."""
MARKERS = {"LoRA": "s", "uniform": "D", "search": "*", "head only": "x"}


def panels(files: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """Title -> rows."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        document = json.loads(file.read_text())
        protocol = document["about"]["protocol"]
        for row in document["rows"]:
            title = f"{row['task']}, {protocol['steps']} steps of {protocol['length']} tokens"
            found.setdefault(title, []).append(row)
    return found


def plot(found: Mapping[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """One panel per title; colours are the same in all."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    columns = min(2, len(found))
    lines = -(-len(found) // columns)
    figure = Figure(figsize=(5.5 * columns, 3.4 * lines), layout="constrained")
    names = list(dict.fromkeys(name(row) for rows in found.values() for row in rows))
    coloured = [arm for arm in names if arm not in PLAIN]
    colours = {arm: colormaps["tab20"](index) for index, arm in enumerate(coloured)}
    for number, (title, rows) in enumerate(found.items(), 1):
        axes = figure.add_subplot(lines, columns, number)
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
        for arm in names:
            mine = [row for row in rows if name(row) == arm and row["score"] is not None]
            axes.errorbar(
                [row["shipped"] / 1000 for row in mine],
                [100 * row["score"] for row in mine],
                yerr=[100 * row["error"] for row in mine],
                fmt=MARKERS.get(arm, "o"),
                color=colours.get(arm, "black"),
                label=arm,
                markersize=5,
                elinewidth=0.7,
                alpha=0.85,
            )
    figure.supxlabel("parameters as shipped, thousands")
    figure.supylabel("score on the report split, %, ± one standard error")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, frameon=False, loc="outside right upper")
    figure.savefig(path, dpi=120, metadata={"Software": None})


def name(row: Mapping[str, Any]) -> str:
    """The arm; LoRA on query and value at any rank is one."""
    arm: str = row["arm"]
    return "LoRA" if arm.startswith("LoRA r=") else arm


def main() -> None:
    """Read the results, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    plot(panels(options.result), options.output)


if __name__ == "__main__":
    main()
