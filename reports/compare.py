"""Compare: two configurations side by side, what differs and by how much."""

from __future__ import annotations

from html import escape
from typing import Any

from autopeft.describe import size_of
from autopeft.format import MISSING, count_text, measured
from autopeft.paired_difference import difference
from autopeft.types import Measured, ObjectiveInfo, Results, TrialRecord, View

from . import _shared as shared
from ._chosen import counterpart, default_trial

NOTHING = "\N{MIDDLE DOT}"


def unavailable(results: Results) -> str:
    """The reason when there are not two trials."""
    if len(shared.finished(results)) < 2:
        return shared.nothing_yet(results) or "Only one trial has finished: nothing to compare."
    return ""


def html(results: Results) -> str:
    """The choice of the other trial, and the two tables of the first pair."""
    trial = default_trial(results)
    other = counterpart(results, trial)
    return (
        f'<p class="controls"><label>The selected trial against <select id="compare-with">'
        f"{options(results, other)}</select></label></p>"
        '<div class="scroll" role="region" aria-label="Comparison" tabindex="0">'
        f'<table id="compare-table"><thead><tr><td></td><th scope="col">#{trial.number}</th>'
        f'<th scope="col">#{other.number}</th><th scope="col">difference</th></tr></thead>'
        f"<tbody>{rows(results, trial, other)}</tbody></table></div>"
        f'<p id="compare-sites">{escape(sites_text(trial, other))}</p>'
        f'<p class="muted">{escape(how(results))}</p>'
    )


def options(results: Results, chosen: TrialRecord) -> str:
    """The front and the defaults as options, then the rest."""
    order = [results.trial(n) for n in results.front]
    order += [t for t in shared.drawn(results) if t.number not in results.front]
    order.sort(key=lambda t: not (t.number in results.front or t.default))
    return "".join(
        f'<option value="{t.number}"{" selected" if t is chosen else ""}>{escape(named(t))}'
        "</option>"
        for t in order
    )


def named(trial: TrialRecord) -> str:
    """Such as `#0 LoRA r=8 on q,v` or `#17`."""
    name = trial.default
    return f"#{trial.number} {name}".rstrip()


def rows(results: Results, trial: TrialRecord, other: TrialRecord) -> str:
    """One row per objective with the difference, then the facts."""
    found = [
        (
            o.label,
            *(shared.objective_text(t, o) for t in (trial, other)),
            delta(results, o, trial, other),
        )
        for o in results.objectives
    ]
    left, right = facts(results, trial), facts(results, other)
    found += [(name, left[name], right[name], "") for name in left]
    return "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in texts)
        + "</tr>"
        for name, *texts in found
    )


def delta(
    results: Results, objective: ObjectiveInfo, trial: TrialRecord, other: TrialRecord
) -> str:
    """The signed difference with its standard error, such as `+0.6 ± 0.3 points`."""
    found = difference(results, trial, other, objective)
    sign = "+" if found.value > 0 else "\N{MINUS SIGN}" if found.value < 0 else ""
    unit = "points" if objective.unit == "%" else objective.unit
    text = measured(Measured(abs(found.value), found.error), unit)
    return text if text == MISSING else sign + text


def facts(results: Results, trial: TrialRecord) -> dict[str, str]:
    """What is compared besides the objectives."""
    trained = trial.measurements.get("trainable", Measured(float("nan"))).value
    seconds = trial.measurements.get("seconds", Measured(float("nan")))
    return {
        "P(on the front)": shared.probability_text(results, trial),
        "parameters": count_text(trained),
        "modules": shared.modules_text(trial, results),
        "active layers": shared.layers_text(trial, results),
        "learning rate": shared.learning_rate_text(trial),
        "training time": measured(seconds, "s"),
        "origin": trial.origin,
    }


def sites_text(trial: TrialRecord, other: TrialRecord) -> str:
    """At how many sites the two differ, and the first of them."""
    left, right = placed(trial), placed(other)
    changed = [key for key in left | right if left.get(key) != right.get(key)]
    if not changed:
        return "They have the same modules at the same sites."
    first = "; ".join(
        f"{site} {module} {left.get((site, module), NOTHING)} against "
        f"{right.get((site, module), NOTHING)}"
        for site, module in sorted(changed, key=natural)[:6]
    )
    more = f"; and {len(changed) - 6} more" if len(changed) > 6 else ""
    sites = "one site" if len(changed) == 1 else f"{len(changed)} places"
    return f"They differ at {sites}: {first}{more}."


def natural(key: tuple[str, str]) -> tuple[int, str, str]:
    """By layer as a number."""
    layer, _, role = key[0].partition(".")
    return int(layer), role, key[1]


def placed(trial: TrialRecord) -> dict[tuple[str, str], str]:
    """(site, module) -> size in words."""
    return {
        (p.site, p.module): NOTHING if size_of(p) == 0 else str(size_of(p) or "on")
        for p in trial.configuration.placements
        if size_of(p) != 0
    }


def how(results: Results) -> str:
    """How the differences were found."""
    paired = bool((results.info.get("paired") or {}).get("trials"))
    words = "\N{PLUS-MINUS SIGN} is one standard error of the difference"
    if paired:
        return (
            f"{words}, over the same validation rows for the front and the defaults; for other "
            "trials the two errors are taken to be independent."
        )
    return f"{words}, the two errors taken to be independent."


def data(results: Results) -> dict[str, Any]:
    """What the page's script needs to compare any two trials that are drawn."""
    trials = shared.drawn(results)
    return {
        "objectives": [
            {"label": o.label, "unit": o.unit, "direction": o.direction} for o in results.objectives
        ],
        "values": {
            str(t.number): [
                [found.value, found.error]
                for found in (shared.value_of(t, o) for o in results.objectives)
            ]
            for t in trials
        },
        "texts": {
            str(t.number): [shared.objective_text(t, o) for o in results.objectives] for t in trials
        },
        "facts": {str(t.number): facts(results, t) for t in trials},
        "paired": results.info.get("paired") or {"trials": [], "correlation": []},
        "first": [
            default_trial(results).number,
            counterpart(results, default_trial(results)).number,
        ],
    }


VIEW = View(
    title="Compare",
    order=5,
    caption="What one configuration gains over another, and whether that is more than noise.",
    unavailable=unavailable,
    html=html,
    data=data,
)
