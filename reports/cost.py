"""Cost: where the time and the memory went, and what failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from autopeft.format import MISSING, bytes_text, quantity
from autopeft.types import Results, TrialRecord, View

from . import _shared as shared
from ._axes import byte_axis
from ._figure import BLUE, GREY, axis, figure, selection, trial_points

FIGURE = "cost-figure"
OUT_OF_MEMORY = "out of memory"
SHOWN = 20
"""Failures that are listed."""


def ended(results: Results) -> list[TrialRecord]:
    """The trials that are over, with or without a result."""
    return [trial for trial in results.trials if trial.state != "running"]


def unavailable(results: Results) -> str:
    """The reason when nothing was spent yet."""
    return "" if ended(results) else shared.NOTHING_YET


def html(results: Results) -> str:
    """The sum, the table of stages, the figure and the failures."""
    figure_part = shared.figure_html(FIGURE, finding(results)) if points(results) else ""
    return f"{stages_html(results)}{figure_part}{failures_html(results)}"


def seconds(trial: TrialRecord) -> float:
    """Its share of the training time; NaN where it was not taken."""
    found = trial.measurements.get("seconds")
    return found.value if found else math.nan


def memory(trial: TrialRecord) -> float:
    """Peak memory, measured if possible; NaN where there is none."""
    found = trial.measurements.get("memory_measured") or trial.measurements.get("memory_predicted")
    return found.value if found else math.nan


def stages_html(results: Results) -> str:
    """One row per origin of the trials: how many, how long, how much memory."""
    groups: dict[str, list[TrialRecord]] = {}
    for trial in ended(results):
        groups.setdefault(stage(trial), []).append(trial)
    groups["all"] = ended(results)
    rows = "".join(stage_row(name, trials) for name, trials in groups.items())
    heads = ("chosen by", "trials", "failed", "training", "per trial", "highest memory")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        '<div class="scroll" role="region" aria-label="Cost by stage" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def stage(trial: TrialRecord) -> str:
    """What chose the trial: `defaults`, or its origin."""
    return "defaults" if trial.default else trial.origin


def stage_row(name: str, trials: Sequence[TrialRecord]) -> str:
    """One row of the table."""
    times = [t for t in map(seconds, trials) if math.isfinite(t)]
    peaks = [m for m in map(memory, trials) if math.isfinite(m)]
    cells = (
        f"{len(trials):,}",
        f"{sum(t.state == 'failed' for t in trials):,}",
        duration(sum(times)) if times else MISSING,
        quantity(sum(times) / len(times), "s") if times else MISSING,
        bytes_text(max(peaks)) if peaks else MISSING,
    )
    return (
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{text}</td>" for text in cells)
        + "</tr>"
    )


def duration(total: float) -> str:
    """Such as `41 s`, `3.4 min` or `2.1 h`."""
    for scale, unit in ((3600.0, "h"), (60.0, "min")):
        if total >= scale:
            return quantity(total / scale, unit)
    return quantity(total, "s")


def points(results: Results) -> list[TrialRecord]:
    """The drawn trials with both a time and a memory."""
    return [
        t for t in shared.drawn(results) if math.isfinite(seconds(t)) and math.isfinite(memory(t))
    ]


def finding(results: Results) -> str:
    """The dearest and the cheapest trial, in a sentence."""
    found = sorted(points(results), key=seconds)
    low, high = (f"#{t.number} {quantity(seconds(t), 's')}" for t in (found[0], found[-1]))
    return f"Training took from {low} to {high} a trial, each its share of the pack it was in."


def failures_html(results: Results) -> str:
    """The failed trials with their reasons, those out of memory counted."""
    failed = [t for t in results.trials if t.state == "failed"]
    if not failed:
        return "<p>No trial failed.</p>"
    starved = sum(t.message.startswith(OUT_OF_MEMORY) for t in failed)
    items = "".join(
        f"<li>#{t.number} {escape(shared.modules_text(t, results))}: "
        f"{escape(t.message or 'no reason was recorded')}</li>"
        for t in failed[:SHOWN]
    )
    more = f"<li>and {len(failed) - SHOWN} more</li>" if len(failed) > SHOWN else ""
    return (
        f"<h3>{len(failed)} failed, {starved} of them out of memory</h3>"
        f'<ul class="failed">{items}{more}</ul>'
    )


def data(results: Results) -> dict[str, Any]:
    """Seconds against memory."""
    found = points(results)
    if not found:
        return {}
    scale, unit = byte_axis([memory(t) for t in found])
    traces = []
    for name, chosen, colour, symbol in (
        ("others", [t for t in found if t.number not in results.front], GREY, "circle-open"),
        ("front", [t for t in found if t.number in results.front], BLUE, "circle"),
    ):
        made = trial_points(
            [t.number for t in chosen],
            [memory(t) / scale for t in chosen],
            list(map(seconds, chosen)),
        )
        traces.append(
            made | {"name": name, "marker": {"color": colour, "symbol": symbol, "size": 8}}
        )
    drawn = figure(
        [*traces, selection()],
        xaxis=axis(f"peak memory when trained alone, {unit}"),
        yaxis=axis("training, seconds", rangemode="tozero"),
    )
    return {"figures": {FIGURE: {"": drawn}}}


VIEW = View(
    title="Cost",
    order=10,
    caption=(
        "What each trial cost. Time is the trial's share of its pack; memory is that of training "
        "the configuration alone."
    ),
    unavailable=unavailable,
    html=html,
    data=data,
)
