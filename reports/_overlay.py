"""Fronts of several studies over each other, and what repeats of a search attain.

Attainment: for every cost the best score that all, half or any of the repeats reach at that cost
or below (Grunert da Fonseca, Fonseca and Hall 2001).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from html import escape
from typing import Any

from autopeft.types import ObjectiveInfo, Results, TrialRecord

from . import _shared as shared
from . import _studies as several
from ._axes import Axis, axis_of, plottable
from ._figure import Trace, axis, figure, selection, trial_points
from ._scatter import stairs, window

OPACITY = 0.25


def overlay(studies: Sequence[Results], x: ObjectiveInfo, y: ObjectiveInfo) -> dict[str, Any]:
    """The fronts of all studies in one figure, as plain data."""
    drawable = [[t for t in fronts_of(r) if plottable(t, x) and plottable(t, y)] for r in studies]
    everything = [trial for trials in drawable for trial in trials]
    axes = (axis_of(everything, x), axis_of(everything, y))
    traces: list[Trace] = []
    for index, trials in enumerate(drawable):
        traces += study_traces(several.name(index, studies[index]), trials, axes, index=index)
    for group in several.repeats(studies):
        traces += band([drawable[i] for i in group], axes, group=group)
    horizontal, vertical = (axis(a.title(), range=window(everything, a)) for a in axes)
    return figure([*traces, selection()], xaxis=horizontal, yaxis=vertical)


def fronts_of(results: Results) -> list[TrialRecord]:
    """The trials on the front of one study."""
    return [results.trial(number) for number in results.front]


def study_traces(
    name: str, trials: Sequence[TrialRecord], axes: tuple[Axis, Axis], *, index: int
) -> list[Trace]:
    """The stairs and the points of one study."""
    style = several.line_style(index)
    line = stairs(trials, axes)
    line["line"] = {**line["line"], **style}
    x, y = ([a.measured(trial).value for trial in trials] for a in axes)
    points = trial_points([t.number for t in trials], x, y)
    points["customdata"] = [several.key(index, trial) for trial in trials]
    points |= {"name": name, "marker": {"size": 8, "color": style["color"]}}
    return [line | {"legendgroup": name}, points | {"legendgroup": name}]


def band(
    repeats: Sequence[Sequence[TrialRecord]], axes: tuple[Axis, Axis], *, group: Sequence[int]
) -> list[Trace]:
    """What all, half and any of the repeats attain; only where up is more and across is less."""
    directions = tuple(a.objective.direction for a in axes)
    curves = [points_of(trials, axes) for trials in repeats if trials]
    if directions != ("minimize", "maximize") or len(curves) < 2:
        return []
    costs = sorted({cost for curve in curves for cost, _ in curve})
    names = ", ".join(several.letter(i) for i in group)
    levels = (len(curves), (len(curves) + 1) // 2, 1)
    words = ("all", "half", "any")
    return [
        level_trace(costs, attained(curves, costs, level), f"{word} of {names} attain")
        for level, word in zip(levels, words, strict=True)
    ]


def points_of(trials: Sequence[TrialRecord], axes: tuple[Axis, Axis]) -> list[tuple[float, float]]:
    """(cost, best score at that cost or below) of one study, cheapest first."""
    rows = sorted((axes[0].measured(t).value, axes[1].measured(t).value) for t in trials)
    made: list[tuple[float, float]] = []
    for cost, score in rows:
        made.append((cost, max(score, made[-1][1]) if made else score))
    return made


def attained(
    curves: Sequence[Sequence[tuple[float, float]]], costs: Sequence[float], level: int
) -> list[float | None]:
    """At each cost the score that at least `level` of the curves reach; None where fewer do."""
    found: list[float | None] = []
    for cost in costs:
        reached = []
        for curve in curves:
            at = bisect_right([c for c, _ in curve], cost)
            if at:
                reached.append(curve[at - 1][1])
        reached.sort(reverse=True)
        found.append(reached[level - 1] if len(reached) >= level else None)
    return found


def level_trace(costs: Sequence[float], scores: Sequence[float | None], name: str) -> Trace:
    """One attainment line."""
    return {
        "x": list(costs),
        "y": list(scores),
        "mode": "lines",
        "name": name,
        "line": {"shape": "hv", "width": 5, "color": several.COLOURS[-1]},
        "opacity": OPACITY,
        "hoverinfo": "skip",
    }


def hover(studies: Sequence[Results], index: int, trial: TrialRecord) -> str:
    """A trial in words; markup in it is escaped."""
    results = studies[index]
    lines = [f"{several.name(index, results)} #{trial.number}"]
    lines.append(shared.modules_text(trial, results))
    lines += [f"{shared.label(o)} {shared.objective_text(trial, o)}" for o in results.objectives]
    return "<br>".join(escape(line, quote=False) for line in lines)
