"""The three configurations that a report puts first, and the one that it shows before a choice."""

from __future__ import annotations

from autopeft import pareto
from autopeft.study.recommendation import recommended
from autopeft.types import Results, TrialRecord

from . import _shared as shared


def choices(results: Results) -> dict[str, TrialRecord]:
    """Title -> trial: most accurate, knee, the recommended one; empty without a front."""
    trials = [results.trial(number) for number in results.front]
    smallest = recommended(results)
    if smallest is None:
        return {}
    rows, directions = shared.rows(results, trials), shared.directions(results)
    first = results.objectives[0]
    best = max(row[0] for row in rows) if first.direction == "maximize" else min(r[0] for r in rows)
    top = next(i for i, row in enumerate(rows) if row[0] == best)
    return {
        "Most accurate" if first.name == "accuracy" else f"Best {first.label}": trials[top],
        "Knee": trials[pareto.knee(rows, directions)],
        "Smallest within one standard error of the best": smallest,
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
