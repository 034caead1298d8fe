"""What a study found, in sentences: against the defaults, and what the error bars mean."""

from __future__ import annotations

import math

from autopeft.format import MISSING, measured, quantity
from autopeft.paired_difference import difference
from autopeft.types import Measured, ObjectiveInfo, Results, TrialRecord


def against_defaults(results: Results) -> list[str]:
    """One sentence per default: which point of the front is as good and as small, or that none is.

    A point counts when its first objective is at least as good and it trains at most as many
    parameters; with several, the best one is named.
    """
    defaults = [t for t in results.trials if t.default and t.configuration.placements]
    return [_against(results, default) for default in defaults if default.state == "complete"]


def _against(results: Results, default: TrialRecord) -> str:
    first = results.objectives[0]
    head = f"{default.default}: {_at(results, default)}"
    front = [results.trial(number) for number in results.front]
    able = [t for t in front if not t.default and _covers(first, t, default)]
    if not able:
        return (
            f"{head}; no searched point on the front is at least as good with at most as many "
            "parameters"
        )
    sign = 1 if first.direction == "maximize" else -1
    best = max(able, key=lambda t: sign * t.objectives[first.name].value)
    gain = _gain(results, best, default)
    return f"{head}; trial {best.number} has {_at(results, best)} ({gain})"


def _covers(first: ObjectiveInfo, trial: TrialRecord, default: TrialRecord) -> bool:
    a, b = trial.objectives[first.name].value, default.objectives[first.name].value
    as_good = a >= b if first.direction == "maximize" else a <= b
    return as_good and _trained(trial) <= _trained(default)


def _gain(results: Results, trial: TrialRecord, default: TrialRecord) -> str:
    first = results.objectives[0]
    found = difference(results, trial, default, first)
    gain = Measured(abs(found.value), found.error)
    unit = "points" if first.unit == "%" else first.unit
    words = f"better by {measured(gain, unit)}" if gain.value else "equally good"
    if gain.value and gain.value < gain.error:
        words += ", within one standard error"
    fewer = _trained(default) / max(_trained(trial), 1.0)
    return f"{words}; {fewer:.1f} times fewer parameters" if fewer > 1.05 else words


def _at(results: Results, trial: TrialRecord) -> str:
    first = results.objectives[0]
    share = 100 * _trained(trial) / results.backbone.parameters
    size = MISSING if math.isnan(share) else quantity(share, "%")
    return f"{measured(trial.objectives[first.name], first.unit)} at {size}"


def _trained(trial: TrialRecord) -> float:
    return trial.measurements.get("trainable", Measured(math.nan)).value


def error_bars(results: Results) -> str:
    """What \N{PLUS-MINUS SIGN} means: the metric, the split, the rows and the seeds behind it."""
    done = [trial for trial in results.trials if trial.state == "complete"]
    if not done:
        return ""
    about = done[0].provenance
    metric = about.get("metric") or results.info.get("metric") or results.objectives[0].label
    words = f"\N{PLUS-MINUS SIGN} is one standard error of {metric}"
    if about.get("rows"):
        words += f" over {about['rows']} rows of {about.get('split', 'validation')}"
    seeds = about.get("seeds")
    count = len(seeds) if isinstance(seeds, list | tuple) else 0
    if count:
        words += f", {count} seed{'s' if count > 1 else ''}"
    return f"{words}; a value without it is exact or predicted"
