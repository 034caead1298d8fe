"""Parallel coordinates: every trial as a line over what was chosen and what came out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from html import escape
from typing import Any

from autopeft.describe import active, active_layers, size_of
from autopeft.types import Results, TrialRecord, Value, View

from . import _shared as shared
from ._axes import axis_of

FIGURE = "parallel-figure"
MOST_AXES = 12
LEAST_TRIALS = 2


def unavailable(results: Results) -> str:
    """The reason when there are too few lines to compare."""
    if len(shared.finished(results)) < LEAST_TRIALS:
        return shared.nothing_yet(results) or "Only one trial has finished: nothing to compare."
    return ""


def html(results: Results) -> str:
    """The choice of an axis to change, the figure and what it shows."""
    axes = "".join(
        f'<option value="{i}">{escape(a["label"])}</option>' for i, a in enumerate(axes_of(results))
    )
    return (
        f'<p class="controls"><label>Axis <select id="parallel-axis">{axes}</select></label>'
        '<button type="button" id="parallel-flip">Flip</button>'
        '<button type="button" id="parallel-log">Logarithmic</button>'
        '<label>from <input type="range" id="parallel-low" min="0" max="100" value="0"></label>'
        '<label>to <input type="range" id="parallel-high" min="0" max="100" value="100"></label>'
        '<button type="button" id="parallel-clear">All</button>'
        '<span id="parallel-count" role="status"></span></p>'
        f'<div class="wide">{shared.figure_html(FIGURE, finding(results))}</div>'
    )


def finding(results: Results) -> str:
    """What the figure holds, in a sentence."""
    count, axes = len(shared.drawn(results)), axes_of(results)
    text = f"{count} trials over {len(axes)} axes; the front is drawn on top."
    if collapsed(results):
        text += (
            f" The space has {len(dimensions(results))} dimensions: instead of them, active "
            "layers, the mean size of each module and the learning rate are drawn."
        )
    return text


def dimensions(results: Results) -> list[str]:
    """The dimensions of the space that any trial has a value of, in their order."""
    return list(dict.fromkeys(name for t in results.trials for name in t.point))


def collapsed(results: Results) -> bool:
    """Whether there are too many dimensions to draw an axis for each."""
    return len(dimensions(results)) + len(results.objectives) > MOST_AXES


def axes_of(results: Results) -> list[dict[str, Any]]:
    """The axes with one value per drawn trial; null where a trial has none."""
    trials = shared.drawn(results)
    chosen = derived(results, trials) if collapsed(results) else own(results, trials)
    return chosen + [objective_axis(results, trials, i) for i in range(len(results.objectives))]


def own(results: Results, trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """One axis per dimension of the space."""
    return [made_axis(name, [t.point.get(name) for t in trials]) for name in dimensions(results)]


def derived(results: Results, trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Active layers, the mean size of each module in use, and the learning rate."""
    room = MOST_AXES - len(results.objectives) - 2
    modules = sorted({p.module for t in trials for p in active(t.configuration)})[:room]
    axes = [made_axis("active layers", [len(active_layers(t.configuration)) for t in trials])]
    axes += [made_axis(f"{m}, mean size", [mean_size(t, m) for t in trials]) for m in modules]
    rates: list[Value | None] = [t.configuration.learning_rate for t in trials]
    return [*axes, made_axis("learning rate", rates)]


def mean_size(trial: TrialRecord, module: str) -> float:
    """The mean size of a module where it is on; 0 where it is not in use."""
    found = [size_of(p) or 1 for p in active(trial.configuration) if p.module == module]
    return round(statistics.fmean(found), 3) if found else 0.0


def objective_axis(results: Results, trials: Sequence[TrialRecord], index: int) -> dict[str, Any]:
    """The axis of an objective, its better end up."""
    axis = axis_of(trials, results.objectives[index])
    values = [axis.measured(trial).value for trial in trials]
    finite = [value if math.isfinite(value) else None for value in values]
    label = axis.objective.label + (f", {axis.unit}" if axis.unit else "")
    made = made_axis(label, [None if v is None else round(v, 6) for v in finite])
    return made | {"flip": axis.objective.direction == "minimize"}


def made_axis(label: str, values: Sequence[Value | None]) -> dict[str, Any]:
    """An axis of numbers, or of words in the order of their names."""
    known = [value for value in values if value is not None]
    words = any(isinstance(value, str | bool) for value in known)
    shown = [None if v is None else str(v) if words else v for v in values]
    return {"label": label, "words": words, "values": shown, "flip": False, "log": wide(known)}


def wide(values: Sequence[Value]) -> bool:
    """Whether numbers are better read on a logarithmic axis."""
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return bool(numbers) and len(numbers) == len(values) and 0 < 20 * min(numbers) < max(numbers)


def data(results: Results) -> dict[str, Any]:
    """The axes, and which trials they are about."""
    trials = shared.drawn(results)
    front = set(results.front)
    return {
        "axes": axes_of(results),
        "trials": [t.number for t in trials],
        "front": [t.number in front for t in trials],
        "figures": {FIGURE: {"": {"data": [], "layout": {}}}},
    }


VIEW = View(
    title="Parallel coordinates",
    order=6,
    caption=(
        "Each line is a trial; blue lines are on the front. Objectives have their better end up. "
        "Drag over an axis, or use the sliders, to keep the lines that pass there; hover for the "
        "trial, click to select it."
    ),
    unavailable=unavailable,
    html=html,
    data=data,
)
