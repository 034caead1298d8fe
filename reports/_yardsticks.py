"""Scores from elsewhere, such as that of full fine-tuning: lines in the front, and in words.

A line, not a point: at 100 % of the weights a point would squash the axis of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autopeft.format import measured
from autopeft.types import Measured, Results

from . import _shared as shared
from ._axes import Axis
from ._chosen import choices
from ._figure import TEAL, Trace

NONE_GIVEN = (
    "Full fine-tuning was not run in this study: the search trains adapters only. The exported "
    "script measures it, with the same rows and steps, and the report draws it as a line:"
)
FULL = " --full 5e-5"
DOTS = 50
OPTION = "--yardstick 'full fine-tuning=SCORE'"


def given(results: Results) -> list[tuple[str, Measured]]:
    """(name, score) in the unit of the first objective."""
    found = results.info.get("yardsticks") or ()
    return [(str(y["name"]), Measured(float(y["value"]), float(y["error"]))) for y in found]


def lines(
    results: Results, axes: tuple[Axis, Axis], windows: Sequence[tuple[float, float]]
) -> list[Trace]:
    """One line for each score, where one of the axes is the first objective."""
    along = next((i for i, a in enumerate(axes) if a.objective == results.objectives[0]), None)
    if along is None:
        return []
    return [
        line(name, score, axes[along], along=along, across=windows[1 - along])
        for name, score in given(results)
    ]


def dots(
    results: Results, axes: tuple[Axis, Axis], windows: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Places along the level lines, as shares of the figure, for names to keep clear of."""
    if axes[1].objective != results.objectives[0]:
        return []
    low, high = windows[1]
    heights = [(s.value / axes[1].scale - low) / (high - low) for _, s in given(results)]
    return [(i / DOTS, height) for height in heights for i in range(DOTS + 1)]


def line(
    name: str, score: Measured, axis: Axis, *, along: int, across: tuple[float, float]
) -> Trace:
    """The line of one score from edge to edge; `along` is 1 where the score is the height."""
    at = [score.value / axis.scale] * 2
    x, y = (list(across), at) if along else (at, list(across))
    text = f"{name} {measured(score, axis.objective.unit)} (given)"
    return {
        "x": x,
        "y": y,
        "mode": "lines",
        "line": {"color": TEAL, "width": 2, "dash": "dash"},
        "name": escape(text, quote=False),
        "hoverinfo": "skip",
    }


def sentences_html(results: Results) -> str:
    """How the most accurate trial stands against each score, as list items."""
    chosen = next(iter(choices(results).values()), None)
    if chosen is None:
        return ""
    first = results.objectives[0]
    return "".join(
        f"<li><strong>Given, not run here:</strong> {escape(name)}, "
        f"{escape(measured(score, first.unit))}. Trial {shared.select_html(chosen)} is "
        f"{escape(distance(shared.value_of(chosen, first), score, results))}.</li>"
        for name, score in given(results)
    )


def distance(own: Measured, score: Measured, results: Results) -> str:
    """Such as `0.9 \N{PLUS-MINUS SIGN} 1.6 points worse in accuracy`, errors independent."""
    first = results.objectives[0]
    gap = shared.apart(own, score)
    if not gap.value:
        return "exactly as good"
    better = gap.value if first.direction == "maximize" else -gap.value
    return shared.amount_text(first, Measured(better, gap.error))


def missing_html(results: Results) -> str:
    """That full fine-tuning was not run, and how to; nothing where a score is given."""
    chosen = next(iter(choices(results).values()), None)
    if given(results) or chosen is None:
        return ""
    measure = shared.train_command(results.study, chosen.number) + FULL
    draw = f"autopeft report {shared.quoted(results.study)} {OPTION}"
    return (
        f'<details><summary>Full fine-tuning</summary><p class="muted">{NONE_GIVEN}</p>'
        f"{shared.command_html(measure)}{shared.command_html(draw)}</details>"
    )
