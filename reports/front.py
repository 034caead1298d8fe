"""Front: any two objectives against each other, with the attainment line of the front."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import permutations
from typing import Any

from autopeft.types import Comparison, ObjectiveInfo, Results, TrialRecord, View

from . import _budgets as budgets
from . import _shared as shared
from . import _studies as several
from . import _yardsticks as yardsticks
from ._overlay import hover as hover_of_several
from ._overlay import overlay
from ._scatter import scatter

FIGURE = "front-figure"


def unavailable(results: Results) -> str:
    """The reason when there is nothing to plot."""
    if len(results.objectives) < 2:
        return "The front needs two objectives; this study has one."
    return shared.nothing_yet(results)


def html(results: Results) -> str:
    """The axis menus, the figure and a sentence that says what it shows."""
    first, second = results.objectives[:2]
    return (
        '<p class="controls">'
        f"{menu(results, 'across', second)}{menu(results, 'up', first)}"
        f'<label><input type="checkbox" data-log="{FIGURE}"> Logarithmic across'
        f" (leaves out zeros)</label></p>{budgets.slider_html(results)}"
        f"{shared.figure_html(FIGURE, finding(results))}{budgets.table_html(results)}"
        f"{certainty_html(results)}{yardsticks.missing_html(results)}{shared.thinned_html(results)}"
    )


def certainty_html(results: Results) -> str:
    """How P(on the front) was found, or nothing when it was not."""
    how = (results.info.get("front_probability") or {}).get("how")
    if not how:
        return ""
    return (
        '<p class="muted">P(on the front) is the share of draws of all scores in which a trial '
        f"stays unbeaten: {escape(how)}. The scores chose the trials, so it is on the high "
        "side.</p>"
    )


def menu(results: Results, name: str, chosen: ObjectiveInfo) -> str:
    """The menu of one axis."""
    options = "".join(
        f'<option value="{escape(o.name)}"{" selected" if o is chosen else ""}>'
        f"{escape(o.label)}</option>"
        for o in results.objectives
    )
    return f'<label>{name.capitalize()} <select data-figure="{FIGURE}">{options}</select></label>'


def finding(results: Results) -> str:
    """What the figure shows, in a sentence."""
    if not results.front:
        return "No trial is on the front: none of the finished ones is within the limits."
    first, second = results.objectives[:2]
    ends = [results.trial(results.front[0]), results.trial(results.front[-1])]
    low, high = (
        f"{shared.objective_text(t, first)} {shared.label(first)} at "
        f"{shared.objective_text(t, second)} {shared.label(second)}"
        for t in ends
    )
    if len(results.front) == 1:
        return f"One trial is on the front: {low}."
    return f"{len(results.front)} trials are on the front, from {low} to {high}."


def data(results: Results) -> dict[str, Any]:
    """One figure per ordered pair of objectives, by `x/y`, the default first; hover words."""
    figures = {f"{x.name}/{y.name}": scatter(results, x, y) for x, y in pairs(results)}
    words = {str(t.number): hover(results, t) for t in shared.drawn(results)}
    return {"figures": {FIGURE: figures}, "words": words, "budgets": budgets.plain(results)}


def pairs(results: Results) -> list[tuple[ObjectiveInfo, ObjectiveInfo]]:
    """Every ordered pair of objectives, the second across and the first up before all."""
    first, second = results.objectives[:2]
    return sorted(permutations(results.objectives, 2), key=lambda pair: pair != (second, first))


def several_html(studies: Sequence[Results]) -> str:
    """The axis menus, the figure and what it shows."""
    first, second = studies[0].objectives[:2]
    menus = f"{menu(studies[0], 'across', second)}{menu(studies[0], 'up', first)}"
    words = several_finding(studies)
    return f'<p class="controls">{menus}</p>{shared.figure_html(FIGURE, words)}'


def several_finding(studies: Sequence[Results]) -> str:
    """How many of the trials that nothing beats come from each study."""
    joint = several.joint_front(studies)
    counts = [
        f"{sum(key.startswith(f'{i}-') for key in joint)} from {several.name(i, results)}"
        for i, results in enumerate(studies)
    ]
    return f"{len(joint)} trials are beaten by no trial of any study: {', '.join(counts)}."


def several_data(studies: Sequence[Results]) -> dict[str, Any]:
    """One figure per ordered pair of objectives, and hover words."""
    figures = {f"{x.name}/{y.name}": overlay(studies, x, y) for x, y in pairs(studies[0])}
    words = {several.key(i, t): hover_of_several(studies, i, t) for i, t in several.fronts(studies)}
    return {"figures": {FIGURE: figures}, "words": words}


def hover(results: Results, trial: TrialRecord) -> str:
    """The trial in words; markup in it is escaped, the line breaks are plotly's."""
    lines = [f"#{trial.number} {shared.modules_text(trial, results)}"]
    lines += [f"{shared.label(o)} {shared.objective_text(trial, o)}" for o in results.objectives]
    lines.append(f"P(on the front) {shared.probability_text(results, trial)}")
    lines.append(f"{shared.layers_text(trial, results)} layers")
    lines.append(f"learning rate {shared.learning_rate_text(trial)}")
    lines.append(f"{shared.state_text(trial, results)}, {trial.origin}")
    return "<br>".join(escape(line, quote=False) for line in lines)


VIEW = View(
    title="Front",
    order=2,
    caption=(
        "Filled points are on the Pareto front: nothing found beats them on every objective, those "
        "not drawn included; the larger, the surer. The stairs bound what was reached, bars are "
        "one standard error. Rings are beaten, crosses break a limit, squares are the defaults. "
        "Click a point to select it, double-click to see all."
    ),
    unavailable=unavailable,
    html=html,
    data=data,
    several=Comparison(
        caption=(
            "The front of each study with its stairs. Of studies that differ only in their seed, "
            "the wide lines are what all, half and any of them attain."
        ),
        html=several_html,
        data=several_data,
    ),
)
