"""Which configuration to take at which budget: the steps of the front's stairs, in words."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

from autopeft import pareto
from autopeft.format import measured
from autopeft.types import Measured, ObjectiveInfo, Results, TrialRecord

from . import _shared as shared
from ._axes import axis_of, plottable

SHOWN = 12


@dataclass(frozen=True)
class Step:
    """The best trial from one budget up to where the next one begins."""

    trial: TrialRecord
    start: float
    """Of the budget, in the unit of the objective."""
    end: Measured | None
    """Where the next step begins; None for the last."""


def steps(results: Results, cost: ObjectiveInfo) -> list[Step]:
    """The front of the first objective against a minimised one, cheapest first."""
    first = results.objectives[0]
    trials = [
        t
        for t in shared.finished(results)
        if t.feasible and plottable(t, first) and plottable(t, cost)
    ]
    rows = [[shared.value_of(t, o).value for o in (first, cost)] for t in trials]
    kept = [trials[i] for i in pareto.front(rows, [first.direction, cost.direction])]
    kept.sort(key=lambda t: shared.value_of(t, cost).value)
    starts = [shared.value_of(t, cost) for t in kept]
    pairs = zip_longest(kept, starts, starts[1:])
    return [Step(trial, start.value, end) for trial, start, end in pairs]


def range_text(step: Step, cost: ObjectiveInfo) -> str:
    """For which budgets the step is the best, such as `0.037 % to 0.110 %`."""
    low = shared.objective_text(step.trial, cost)
    return f"{low} or more" if step.end is None else f"{low} to {measured(step.end, cost.unit)}"


def costs(results: Results) -> list[ObjectiveInfo]:
    """The minimised objectives after the first: what a budget may limit."""
    return [o for o in results.objectives[1:] if o.direction == "minimize"]


def table_html(results: Results) -> str:
    """The steps of the second objective as a table; nothing without a cost."""
    if not (found := costs(results)) or len(made := steps(results, found[0])) < 2:
        return ""
    cost, first = found[0], results.objectives[0]
    others = [o for o in results.objectives[1:] if o is not cost]
    rows = "".join(row_html(results, step, cost) for step in made[:SHOWN])
    more = (
        f'<p class="muted">The {len(made) - SHOWN} larger ones are in the table below.</p>'
        if len(made) > SHOWN
        else ""
    )
    heads = (
        f"if you may spend on {shared.label(cost)}",
        "take",
        shared.label(first),
        *(shared.label(o) + shared.predicted(shared.finished(results), o) for o in others),
        "P(on the front)",
        "modules",
    )
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    return (
        f"<details open><summary>Which configuration for how much: {escape(shared.label(cost))}"
        '</summary><div class="scroll" role="region" aria-label="Best at each budget" tabindex="0">'
        f'<table class="budgets"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{more}</details>"
    )


def row_html(results: Results, step: Step, cost: ObjectiveInfo) -> str:
    """One step."""
    trial, first = step.trial, results.objectives[0]
    others = [o for o in results.objectives[1:] if o is not cost]
    cells = (
        shared.objective_text(trial, first),
        *(shared.objective_text(trial, o) for o in others),
        shared.probability_text(results, trial),
        shared.modules_text(trial, results),
    )
    return (
        f'<tr data-trial="{trial.number}"><th scope="row">'
        f"{escape(range_text(step, cost))}</th><td>{shared.select_html(trial)}</td>"
        + "".join(f"<td>{escape(text)}</td>" for text in cells)
        + "</tr>"
    )


def slider_html(results: Results) -> str:
    """The control that walks along the steps; the page's script fills it."""
    if not costs(results):
        return ""
    return (
        '<p class="controls" id="budget" hidden><label>Spend at most '
        '<input type="range" id="budget-step" min="0" max="0" value="0"></label>'
        '<output id="budget-text" for="budget-step"></output></p>'
    )


def plain(results: Results) -> dict[str, Any]:
    """The steps by objective name: trial, where the line stands on the axis, and words."""
    return {
        cost.name: [step_data(results, s, cost) for s in steps(results, cost)]
        for cost in costs(results)
    }


def step_data(results: Results, step: Step, cost: ObjectiveInfo) -> dict[str, Any]:
    """One step as the page's script reads it."""
    first = results.objectives[0]
    scale = axis_of(shared.drawn(results), cost).scale
    words = (
        f"{range_text(step, cost)} of {shared.label(cost)}: "
        f"#{step.trial.number}, {shared.label(first)} {shared.objective_text(step.trial, first)}"
    )
    return {"trial": step.trial.number, "at": step.start / scale, "words": words}
