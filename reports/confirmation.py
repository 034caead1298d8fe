"""Confirmation: the front again with other seeds, on rows that nothing was chosen by."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from html import escape
from typing import Any

from autopeft.format import measured
from autopeft.study.recommendation import confirmed
from autopeft.types import Measured, Results, View

from . import _shared as shared


def trials(results: Results) -> Mapping[int, Mapping[str, Any]]:
    """Trial number -> its score, seeds and P(on the front)."""
    stored = (results.info.get("confirmation") or {}).get("trials") or {}
    return {int(number): facts for number, facts in stored.items()}


def unavailable(results: Results) -> str:
    """The reason, and the command, when nothing was confirmed."""
    if trials(results):
        return ""
    command = f"autopeft confirm {shlex.quote(results.study)}"
    return shared.nothing_yet(results) or (
        f"Not confirmed: {command} trains the front again with other seeds, on rows that no "
        "choice was made by."
    )


def html(results: Results) -> str:
    """The verdict, and one row per candidate."""
    first = results.objectives[0]
    heads = (
        f"{first.label.lower()} {first.unit}".rstrip(),
        "in the search",
        "P(on the front)",
        "seeds",
        "place",
    )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "".join(row(results, number, facts) for number, facts in trials(results).items())
    return (
        f"<p><strong>{escape(verdict(results))}</strong></p>{against(results)}"
        f'<div class="scroll" role="region" aria-label="Confirmed trials" tabindex="0"><table>'
        f'<thead><tr><th scope="col">trial</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def against(results: Results) -> str:
    """The recommended trial against each default, as a list."""
    items = "".join(f"<li>{escape(s[0].upper() + s[1:])}.</li>" for s in confirmed(results))
    return f"<ul>{items}</ul>" if items else ""


def row(results: Results, number: int, facts: Mapping[str, Any]) -> str:
    """One candidate."""
    found = Measured(*facts["score"]) if facts["score"] else None
    searched = results.trial(number).objectives[results.objectives[0].name]
    cells = (
        measured(found, "") if found else "diverged",
        measured(searched, ""),
        f"{facts['chance']:.0%}",
        str(facts["seeds"]),
        "settled" if facts["settled"] else "in doubt",
    )
    head = f'<tr><th scope="row">{shared.select_html(results.trial(number))}</th>'
    return head + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def verdict(results: Results) -> str:
    """How much of the front holds, and by how much the search flattered it."""
    known = trials(results)
    rows = results.info["confirmation"]["rows"]
    front = [number for number in results.front if number in known]
    held = sum(known[number]["chance"] >= 0.5 for number in front)
    which = f"{held} of {len(front)}"
    if len(front) < len(results.front):
        which = f"{which} confirmed ones of the {len(results.front)}"
    words = (
        f"{which} points of the front are more likely on it than not, on {rows} rows of the "
        "report split"
    )
    drops = [drop(results, number, known[number]) for number in front]
    finite = [value for value in drops if math.isfinite(value)]
    if not finite:
        return f"{words}."
    unit = "points" if results.objectives[0].unit == "%" else results.objectives[0].unit
    mean = sum(finite) / len(finite)
    return f"{words}. The search had scored them {abs(mean):.1f} {unit} {side(mean)} on average."


def side(mean: float) -> str:
    """Which way the search erred."""
    return "higher" if mean > 0 else "lower"


def drop(results: Results, number: int, facts: Mapping[str, Any]) -> float:
    """By how much the search's own score was above the confirmed one; NaN where there is none."""
    searched = results.trial(number).objectives[results.objectives[0].name].value
    return searched - facts["score"][0] if facts["score"] else math.nan


VIEW = View(
    title="Confirmation",
    order=9,
    caption=(
        "Candidates trained again with the same new seeds. The difference between the two scores "
        "is what the search's choosing, and its one seed, had flattered. P(on the front) is among "
        "the trials shown here."
    ),
    unavailable=unavailable,
    html=html,
)
