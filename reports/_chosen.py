"""The three configurations that a report puts first, and the one that it shows before a choice."""

from __future__ import annotations

from autopeft import pareto
from autopeft.recommendation import recommended
from autopeft.types import Results, TrialRecord

from . import _shared as shared

POINTS = 1.0
"""Tolerance of the third choice, in percent points of the first objective."""


def choices(results: Results) -> dict[str, TrialRecord]:
    """Title -> trial: most accurate, knee, smallest near the best; empty without a front."""
    trials = [results.trial(number) for number in results.front]
    if not trials:
        return {}
    rows, directions = shared.rows(results, trials), shared.directions(results)
    first = results.objectives[0]
    best = max(row[0] for row in rows) if first.direction == "maximize" else min(r[0] for r in rows)
    near, words = (POINTS, "one point") if first.unit == "%" else (0.01 * abs(best), "1 %")
    top = next(i for i, row in enumerate(rows) if row[0] == best)
    return {
        "Most accurate" if first.name == "accuracy" else f"Best {first.label}": trials[top],
        "Knee": trials[pareto.knee(rows, directions)],
        f"Smallest within {words} of the best": trials[
            pareto.smallest_within(rows, directions, near)
        ],
    }


def default_trial(results: Results) -> TrialRecord:
    """What every view shows before a choice; IndexError when no trial has finished."""
    return recommended(results) or shared.finished(results)[0]


def counterpart(results: Results, trial: TrialRecord) -> TrialRecord:
    """What a trial is compared with: the knee, else the first default, else any other."""
    knee = choices(results).get("Knee")
    defaults = [t for t in shared.drawn(results) if t.default]
    for other in [*([knee] if knee else []), *defaults, *shared.drawn(results)]:
        if other.number != trial.number:
            return other
    return trial
