"""The plotly figure of two objectives: front, beaten trials, broken limits, defaults, stairs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from autopeft import pareto
from autopeft.types import Direction, ObjectiveInfo, Results, TrialRecord

from . import _shared as shared
from . import _yardsticks as yardsticks
from ._axes import Axis, axis_of, plottable
from ._figure import BLUE, GREY, ORANGE, PURPLE, Trace, axis, figure, selection, trial_points
from ._labels import places

EDGE, ROOM = 0.06, 0.15
"""Shares of the span of the trials within the limits: free space, and how far beyond is shown."""
SMALL, LARGE = 6.0, 11.0
"""Pixels of a point that is surely not, and surely, on the front."""


def scatter(results: Results, x: ObjectiveInfo, y: ObjectiveInfo) -> dict[str, Any]:
    """The figure as plain data."""
    trials = [t for t in shared.drawn(results) if plottable(t, x) and plottable(t, y)]
    axes = (axis_of(trials, x), axis_of(trials, y))
    windows = [widened(results, window(trials, a), a) for a in axes]
    traces = [stairs(trials, axes), *yardsticks.lines(results, axes, windows)]
    traces += [*groups(results, trials, axes, windows=windows), selection()]
    horizontal, vertical = (axis(a.title(), range=w) for a, w in zip(axes, windows, strict=True))
    return figure(traces, xaxis=horizontal, yaxis=vertical)


def widened(results: Results, shown: tuple[float, float], axis: Axis) -> tuple[float, float]:
    """The part of an axis to show, with the scores from elsewhere."""
    if axis.objective != results.objectives[0]:
        return shown
    values = [score.value / axis.scale for _, score in yardsticks.given(results)]
    room = EDGE * (shown[1] - shown[0])
    return min([shown[0], *(v - room for v in values)]), max(
        [shown[1], *(v + room for v in values)]
    )


def groups(
    results: Results,
    trials: Sequence[TrialRecord],
    axes: tuple[Axis, Axis],
    *,
    windows: Sequence[tuple[float, float]],
) -> list[Trace]:
    """One trace per kind of trial, the front last so that it lies on top."""
    kinds: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        kinds.setdefault(kind_of(results, trial), []).append(trial)
    ring = {"symbol": "circle-open", "size": 6, "color": GREY, "line": {"width": 1.5}}
    marks: dict[str, Trace] = {
        "dominated": {"marker": ring},
        "over the limit": {"marker": {"symbol": "x", "size": 8, "color": ORANGE}},
        "default": squares(results, kinds.get("default", ())),
        "front": {"marker": spots(results, kinds.get("front", ()))},
    }
    clear = yardsticks.dots(results, axes, windows)
    marks["default"] |= labels(kinds.get("default", ()), trials, axes, windows=windows, clear=clear)
    for name in ("default", "front"):
        marks[name] |= error_bars(kinds.get(name, ()), axes)
    return [points(kinds[n], axes) | mark | {"name": n} for n, mark in marks.items() if n in kinds]


def kind_of(results: Results, trial: TrialRecord) -> str:
    """How a trial is drawn: a default stays a default, wherever it stands."""
    if trial.default:
        return "default"
    if trial.number in results.front:
        return "front"
    return "dominated" if trial.feasible else "over the limit"


def squares(results: Results, trials: Sequence[TrialRecord]) -> Trace:
    """Squares, filled on the front."""
    filled = [trial.number in results.front for trial in trials]
    symbols = ["square" if full else "square-open" for full in filled]
    return {"marker": {"symbol": symbols, "size": 10, "color": PURPLE}}


def points(trials: Sequence[TrialRecord], axes: tuple[Axis, Axis]) -> Trace:
    """Positions, trial numbers and hover of some trials; the page fills in the words."""
    x, y = ([axis.measured(trial).value for trial in trials] for axis in axes)
    return trial_points([trial.number for trial in trials], x, y)


def spots(results: Results, trials: Sequence[TrialRecord]) -> Trace:
    """Circles: the surer that a point belongs on the front, the larger."""
    shares = (results.info.get("front_probability") or {}).get("trials")
    sure = [shares.get(t.number, 0.0) if shares else 0.5 for t in trials]
    sizes = [round(SMALL + (LARGE - SMALL) * share, 1) for share in sure]
    # With a size for each, plotly would make them paler and draw a white ring around them.
    return {"symbol": "circle", "color": BLUE, "size": sizes, "opacity": 1, "line": {"width": 0}}


def labels(
    named: Sequence[TrialRecord],
    trials: Sequence[TrialRecord],
    axes: tuple[Axis, Axis],
    *,
    windows: Sequence[tuple[float, float]],
    clear: Sequence[tuple[float, float]],
) -> Trace:
    """The names of the defaults beside their squares, clear of each other and of the points.

    `clear`: further places to keep clear, as shares of the figure.
    """
    names = [trial.default for trial in named]
    at, dots = (
        [(share(t, axes[0], windows[0]), share(t, axes[1], windows[1])) for t in group]
        for group in (named, trials)
    )
    text = [escape(name, quote=False) for name in names]
    return {
        "mode": "markers+text",
        "text": text,
        "textposition": places(names, at, [*dots, *clear]),
    }


def share(trial: TrialRecord, axis: Axis, shown: tuple[float, float]) -> float:
    """Where a trial stands between the ends of an axis, 0 to 1."""
    return (axis.measured(trial).value - shown[0]) / ((shown[1] - shown[0]) or 1.0)


def error_bars(trials: Sequence[TrialRecord], axes: tuple[Axis, Axis]) -> Trace:
    """One standard error, along the axes that have any."""
    made: Trace = {}
    for name, along in zip(("error_x", "error_y"), axes, strict=True):
        errors = [along.measured(trial).error for trial in trials]
        if any(errors):
            made[name] = {"array": errors, "thickness": 1, "width": 0}
    return made


def stairs(trials: Sequence[TrialRecord], axes: tuple[Axis, Axis]) -> Trace:
    """The attainment line: the border of what is matched or beaten by a trial within the limits."""
    directions = [axis.objective.direction for axis in axes]
    rows = [[axis.measured(trial).value for axis in axes] for trial in trials if trial.feasible]
    corners = sorted(rows[i] for i in pareto.front(rows, directions))
    cheap_left = directions[0] == "minimize"
    if corners:
        # The line runs on to the worst values seen, as a trial reaches all that is worse.
        across, up = worst(rows, directions)
        start, end = corners[0], corners[-1]
        ends = ([start[0], up], [across, end[1]])
        if not cheap_left:
            ends = ([across, start[1]], [end[0], up])
        corners = [ends[0], *corners, ends[1]]
    x, y = ([corner[i] for corner in corners] for i in range(2))
    return {
        "x": x,
        "y": y,
        "mode": "lines",
        "line": {"shape": "hv" if cheap_left else "vh", "color": BLUE, "width": 1.5},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def worst(rows: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[float]:
    """The worst value of each column."""
    columns = zip(*rows, strict=True)
    return [
        min(column) if direction == "maximize" else max(column)
        for column, direction in zip(columns, directions, strict=True)
    ]


def window(trials: Sequence[TrialRecord], axis: Axis) -> tuple[float, float]:
    """The part of an axis to show: far beyond the limit is left out unless all is there."""
    values = [axis.measured(trial).value for trial in trials]
    inside = [axis.measured(trial).value for trial in trials if trial.feasible] or values
    if not values:
        return 0.0, 1.0
    span = (max(inside) - min(inside)) or abs(max(inside)) or 1.0
    low, high = (
        bound + ROOM * sign * span for bound, sign in ((min(inside), -1), (max(inside), 1))
    )
    return max(low, min(values) - EDGE * span), min(high, max(values) + EDGE * span)
