"""How a search compares with the defaults that were trained under the same protocol."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autopeft import pareto
from autopeft.paired_difference import difference
from autopeft.types import Measured, ObjectiveInfo, Results, TrialRecord

from . import _shared as shared
from . import _yardsticks as yardsticks


def comparison(results: Results) -> str:
    """One sentence for each default: what beats it, or plainly that nothing does."""
    defaults = [trial for trial in results.trials if trial.default]
    if not defaults:
        return '<p class="muted">No default was trained in this study to compare with.</p>'
    items = "".join(f"<li>{against(results, trial)}</li>" for trial in defaults)
    items += yardsticks.sentences_html(results)
    return f'<h3>Against the defaults</h3><ul class="defaults">{items}</ul>'


def against(results: Results, default: TrialRecord) -> str:
    """How the search compares with one default, as HTML."""
    name = f"{escape(default.default)} ({shared.select_html(default)})"
    if default.state != "complete":
        reason = escape(default.message) if default.message else "It has not finished."
        return f"{name} has no result. {reason}"
    searched = [t for t in shared.finished(results) if t.feasible and not t.default]
    if not searched:
        return f"{name}: no searched trial has finished within the limits yet."
    better = [trial for trial in searched if covers(results, trial, default)]
    best = nearest(results, better or searched, default)
    link, deltas = shared.select_html(best), escape(differences(results, best, default))
    if better:
        return (
            f"<strong>{verdict(results, best, default)}:</strong> {name}. Trial {link} is {deltas}."
        )
    return (
        f"<strong>Not beaten:</strong> no searched trial is at least as good as {name} on every "
        f"objective. The nearest, {link}, is {deltas}."
    )


def verdict(results: Results, trial: TrialRecord, default: TrialRecord) -> str:
    """Whether a trial that covers the default is better beyond doubt, cheaper or the same."""
    first = gain(results, trial, default, results.objectives[0])
    if first.value > 0 and not shared.doubt(first):
        return "Beaten"
    row, other = shared.rows(results, [trial, default])
    return "Matched for less" if row[1:] != other[1:] else "Matched"


def covers(results: Results, trial: TrialRecord, default: TrialRecord) -> bool:
    """Whether a trial equals or dominates the default."""
    row, other = shared.rows(results, [trial, default])
    return row == other or pareto.dominates(row, other, shared.directions(results))


def nearest(results: Results, trials: Sequence[TrialRecord], default: TrialRecord) -> TrialRecord:
    """The trial whose worst objective, against the default and the spread of all, is best.

    Where these are equal the next worst decides.
    """
    columns = zip(*shared.rows(results, [*shared.finished(results)]), strict=True)
    spreads = [(max(column) - min(column)) or 1.0 for column in columns]

    def worst_first(trial: TrialRecord) -> list[float]:
        gains = (gain(results, trial, default, objective).value for objective in results.objectives)
        return sorted(value / spread for value, spread in zip(gains, spreads, strict=True))

    return max(trials, key=worst_first)


def gain(
    results: Results, trial: TrialRecord, default: TrialRecord, objective: ObjectiveInfo
) -> Measured:
    """How much better than the default a trial is, with the standard error of the difference."""
    found = difference(results, trial, default, objective)
    return found if objective.direction == "maximize" else Measured(-found.value, found.error)


def differences(results: Results, trial: TrialRecord, default: TrialRecord) -> str:
    """Such as `0.6 \N{PLUS-MINUS SIGN} 0.3 points better in accuracy, with 12 MB instead of 40 MB
    peak memory`."""
    first, *rest = results.objectives
    found = gain(results, trial, default, first)
    words = "as good" if not found.value else shared.amount_text(first, found)
    costs = [
        f"{shared.objective_text(trial, o)} instead of {shared.objective_text(default, o)} "
        f"{shared.label(o)}"
        for o in rest
        if shared.value_of(trial, o).value != shared.value_of(default, o).value
    ]
    return f"{words}, with {' and '.join(costs)}" if costs else words
