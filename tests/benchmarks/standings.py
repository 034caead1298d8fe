"""What a competition of samplers came to: medians over the seeds, as rows, text and a plot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

DESIGNED = "+design"
"""Suffix of a sampler that starts from our initial design."""
MARKS = (0.25, 0.5, 1.0)
"""Shares of the trials after which the hypervolume is stated."""
Entry = dict[str, Any]
"""One search."""


def summary(found: Sequence[Entry]) -> list[Entry]:
    """Medians over the seeds, per problem and sampler; the best first."""
    rows = []
    for problem in dict.fromkeys(entry["problem"] for entry in found):
        mine = [entry for entry in found if entry["problem"] == problem]
        samplers = dict.fromkeys(entry["sampler"] for entry in mine)
        by_sampler = {s: [e for e in mine if e["sampler"] == s] for s in samplers}
        finals = {s: statistics.median(_finals(entries)) for s, entries in by_sampler.items()}
        peers = {s: value for s, value in finals.items() if not s.startswith("ours")}
        goals = {
            "random": finals.get("random"),
            "best_peer": max(peers.values(), default=None),
        }
        rows += [_row(entries, goals) for entries in by_sampler.values()]
    return sorted(rows, key=lambda row: (row["problem"], -row["final"]))


def _finals(entries: Sequence[Entry]) -> list[float]:
    return [entry["shares"][-1] for entry in entries]


def _row(mine: Sequence[Entry], goals: dict[str, float | None]) -> Entry:
    """One sampler on one problem; the goals are hypervolumes that it may reach early."""
    shares = [entry["shares"] for entry in mine]
    median = [statistics.median(column) for column in zip(*shares, strict=True)]
    row = {key: mine[0][key] for key in ("problem", "sampler")} | {"seeds": len(mine)}
    row["after"] = {str(count): median[count - 1] for count in _marks(len(median))}
    finals = _finals(mine)
    row |= {"final": median[-1], "least": min(finals), "most": max(finals)}
    row["seconds"] = statistics.median(entry["seconds"] for entry in mine)
    row["slowest"] = max(entry["slowest"] for entry in mine)
    row["duplicates"] = statistics.fmean(entry["duplicates"] for entry in mine)
    for name, goal in goals.items():
        if goal is not None:
            reached = (count for count, share in enumerate(median, 1) if share >= goal)
            row[f"trials_to_{name}"] = next(reached, None)
    return row


def _marks(trials: int) -> list[int]:
    return [max(1, round(share * trials)) for share in MARKS]


def table(rows: Sequence[Entry]) -> str:
    """The summary as lines of text."""
    lines = []
    for row in rows:
        marks = "  ".join(f"{count}: {share:.3f}" for count, share in row["after"].items())
        lines.append(
            f"{row['problem']:26s} {row['sampler']:18s} n={row['seeds']:<3d} {marks}"
            f"  ({row['least']:.3f} to {row['most']:.3f})"
            f"  trials to random {row.get('trials_to_random') or '-':>4}"
            f", to the best peer {row.get('trials_to_best_peer') or '-':>4}"
            f"  {row['seconds']:.2f} s CPU each, at most {row['slowest']:.2f}"
        )
    return "\n".join(lines)


def plot(found: Sequence[Entry], path: Path) -> None:
    """Median share over trials and the range of the seeds, one panel per problem, as a picture."""
    from matplotlib.figure import Figure

    problems = list(dict.fromkeys(entry["problem"] for entry in found))
    samplers = list(dict.fromkeys(entry["sampler"] for entry in found))
    columns = min(3, len(problems))
    rows = -(-len(problems) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    for number, problem in enumerate(problems, 1):
        axes = figure.add_subplot(rows, columns, number)
        axes.set_title(problem, fontsize=9)
        axes.grid(alpha=0.3)
        for index, sampler in enumerate(samplers):
            shares = [
                e["shares"] for e in found if (e["problem"], e["sampler"]) == (problem, sampler)
            ]
            if shares:
                _line(axes, np.array(shares), sampler, color=f"C{index}")
    figure.supxlabel("trials")
    figure.supylabel("share of true hypervolume")
    figure.axes[0].legend(fontsize=7, frameon=False, loc="lower right")
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _line(axes: Any, shares: np.ndarray, sampler: str, *, color: str) -> None:
    """The median, and a band from the lowest to the highest seed."""
    trials = np.arange(1, shares.shape[1] + 1)
    axes.plot(trials, np.median(shares, axis=0), color=color, label=sampler)
    axes.fill_between(trials, shares.min(axis=0), shares.max(axis=0), color=color, alpha=0.12)
