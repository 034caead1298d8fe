"""Progress: how the front grew over trials and over training time, and whether it still grows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import accumulate, groupby
from typing import Any

from autopeft.types import AGAIN, BASELINE, Comparison, Results, View

from . import _shared as shared
from . import _studies as several
from ._figure import BLUE, GREY, ORANGE, Trace, axis, figure
from ._hypervolume import Growth, box_of, growth, seconds, usable
from ._once import once
from ._reference import Reference, random_study, reference, reference_html

FIGURE = "progress-figure"
MENU = (
    '<p class="controls"><label>Across <select data-figure="progress-figure">'
    '<option value="trials" selected>trials</option>'
    '<option value="seconds">seconds of training</option></select></label></p>'
)
RECENT = 0.2
"""The last share of the trials, whose gain is told."""


def unavailable(results: Results) -> str:
    """The reason when there is no volume to speak of."""
    if len(usable(results)) < 2:
        return (
            shared.nothing_yet(results) or "Fewer than two trials have finished within the limits."
        )
    return ""


def html(results: Results) -> str:
    """The choice of the axis, the figure, and how it stands against drawing at random."""
    beside = reference_html(results, *curves(results))
    return f"{MENU}{shared.figure_html(FIGURE, finding(results))}{beside}"


@once
def curves(results: Results) -> tuple[Growth, Reference | None]:
    """The study's own curve and what it is held against, in one box."""
    beside = random_study(results)
    box = box_of([results, beside] if beside else [results])
    return growth(results, box), reference(results, box)


def finding(results: Results) -> str:
    """The last value, and how much of it came late."""
    curve, _ = curves(results)
    last, total = curve.share[-1], curve.trials[-1]
    recent = max(1, round(RECENT * total))
    gained = f"{last - curve.at(total - recent):.3f} of it came in the last {recent} trials"
    return (
        f"The front covers {last:.3f} of the box between the worst and the best values seen, "
        f"{gained}."
    )


def curve_trace(curve: Growth, across: str, **style: Any) -> Trace:
    """A staircase over trials or seconds."""
    x = curve.trials if across == "trials" else curve.seconds
    return {
        "x": list(x),
        "y": [round(share, 6) for share in curve.share],
        "mode": "lines",
        "line": {"shape": "hv", "width": 2, **style},
        "hovertemplate": "%{x:.4~g} " + across + ": %{y:.3f}<extra></extra>",
    }


def phase_traces(results: Results, curve: Growth, across: str) -> list[Trace]:
    """A mark on the curve where the origin of the trials changes: defaults, design, sampler."""
    starts = phases(results)
    if len(starts) < 2:
        return []
    times = running_seconds(results)
    x = [n if across == "trials" else times[n] for _, n in starts]
    return [
        {
            "x": x,
            "y": [curve.at(n) for _, n in starts],
            "mode": "markers+text",
            "marker": {"symbol": "line-ns-open", "size": 14, "color": GREY, "line": {"width": 2}},
            "text": [name for name, _ in starts],
            "textposition": "bottom right",
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def phases(results: Results) -> list[tuple[str, int]]:
    """(kind of origin, position of its first trial), where the kind changes for good."""
    kinds = [origin_kind(t.origin, results) for t in results.trials]
    found: list[tuple[str, int]] = []
    start = 0
    for kind, group in groupby(kinds):
        if kind not in [name for name, _ in found]:
            found.append((kind, start))
        start += len(list(group))
    return found


def origin_kind(origin: str, results: Results) -> str:
    """`defaults`, `design` or the name of the sampler."""
    sampler = str((results.info.get("settings") or {}).get("sampler") or "model")
    if origin.startswith(BASELINE):
        return "defaults"
    drawn = origin in (sampler, "model", "random") or origin.startswith(AGAIN)
    return sampler if drawn else "design"


def running_seconds(results: Results) -> list[float]:
    """Seconds spent before each trial, and after the last."""
    return [0.0, *accumulate(map(seconds, results.trials))]


def data(results: Results) -> dict[str, Any]:
    """The curve over trials and over seconds."""
    return {
        "figures": {FIGURE: {across: drawn(results, across) for across in ("trials", "seconds")}}
    }


def drawn(results: Results, across: str) -> dict[str, Any]:
    """One figure."""
    curve, against = curves(results)
    traces = [curve_trace(curve, across, color=BLUE) | {"name": "this study"}]
    if against:
        dotted = curve_trace(against.curve, across, color=ORANGE, dash="dot")
        traces.append(dotted | {"name": escape(against.name, quote=False)})
    return curves_figure([*traces, *phase_traces(results, curve, across)], across)


def curves_figure(traces: Sequence[Trace], across: str) -> dict[str, Any]:
    """Curves with their axes."""
    words = "trials, the failed ones too" if across == "trials" else "training, seconds"
    return figure(
        traces,
        xaxis=axis(words, rangemode="tozero"),
        yaxis=axis("hypervolume, share \N{RIGHTWARDS ARROW} better", rangemode="tozero"),
    )


def several_html(studies: Sequence[Results]) -> str:
    """The choice of the axis, and the curves of the studies that have any."""
    able = [r for r in studies if usable(r)]
    if not able:
        return f'<p class="unavailable">{shared.NOTHING_YET}</p>'
    words = f"{len(able)} studies in one box; a random search is dotted."
    return f"{MENU}{shared.figure_html(FIGURE, words)}"


def several_data(studies: Sequence[Results]) -> dict[str, Any]:
    """The curves of all studies over trials and over seconds."""
    able = [(i, r) for i, r in enumerate(studies) if usable(r)]
    if not able:
        return {}
    box = box_of([results for _, results in able])
    found = [(i, results, growth(results, box)) for i, results in able]
    return {
        "figures": {
            FIGURE: {
                across: curves_figure([study_trace(*c, across=across) for c in found], across)
                for across in ("trials", "seconds")
            }
        }
    }


def study_trace(index: int, results: Results, curve: Growth, *, across: str) -> Trace:
    """The curve of one study."""
    style = several.line_style(index) | ({"dash": "dot"} if several.is_random(results) else {})
    return curve_trace(curve, across, **style) | {"name": several.name(index, results)}


VIEW = View(
    title="Progress",
    order=7,
    caption=(
        "The share of the box between the worst and the best values seen that the front covers. "
        "Flat at the end means that more trials of the same kind would add little."
    ),
    unavailable=unavailable,
    html=html,
    data=data,
    several=Comparison(
        caption=(
            "The share of one box, between the worst and the best values of all studies, that "
            "each front covers. Higher sooner is better."
        ),
        html=several_html,
        data=several_data,
    ),
)
