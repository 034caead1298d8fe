"""Importance: which dimensions of the space decide, and which sites the data asks for."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from autopeft.study import dimension_importance
from autopeft.types import ObjectiveInfo, Results, View

from . import _shared as shared
from ._figure import BLUE, axis, figure
from ._once import once

FIGURE = "importance-figure"
STEPS = 10
SHOWN = 12
"""Dimensions that are drawn; the rest share what is left."""


def unavailable(results: Results) -> str:
    """The reason when there is neither a dimension nor a site to rank."""
    return "" if results.info.get("importance") else too_few(results)


def too_few(results: Results) -> str:
    """Why the dimensions cannot be ranked, or an empty string."""
    count = len(dimension_importance.usable(results.trials))
    if count < dimension_importance.LEAST_TRIALS:
        return (
            f"{count} trials of the space have finished; its dimensions are ranked from "
            f"{dimension_importance.LEAST_TRIALS} on."
        )
    return ""


def html(results: Results) -> str:
    """The bars of each objective, then one map of sites per method."""
    methods = results.info.get("importance") or {}
    maps = "".join(sites_html(results, name, found) for name, found in sorted(methods.items()))
    return f"<h3>Dimensions of the space</h3>{dimensions_html(results)}{maps}"


def dimensions_html(results: Results) -> str:
    """The figure with its menu, or why there is none."""
    if reason := too_few(results):
        return f'<p class="unavailable">{escape(reason)}</p>'
    options = "".join(
        f'<option value="{escape(o.name)}">{escape(o.label)}</option>' for o in results.objectives
    )
    return (
        f'<p class="controls"><label>For <select data-figure="{FIGURE}">{options}</select></label>'
        f"</p>{shared.figure_html(FIGURE, finding(results))}"
    )


def finding(results: Results) -> str:
    """The most important dimension of each objective, in a sentence."""
    parts = []
    for objective in results.objectives:
        if found := shares(results)[objective.name]:
            name, share = next(iter(found.items()))
            parts.append(f"{shared.label(objective)}: {name} ({share:.0%})")
    told = "; ".join(parts) or "nothing varies"
    return f"What tells the best fifth of the trials from the rest: {told}."


@once
def shares(results: Results) -> dict[str, dict[str, float]]:
    """Objective -> dimension -> share of the importance, most important first."""
    return {o.name: dimension_importance.importances(results.trials, o) for o in results.objectives}


def bars(results: Results, objective: ObjectiveInfo) -> dict[str, Any]:
    """The figure of one objective, most important dimension on top."""
    found = shares(results)[objective.name]
    top = list(found.items())[:SHOWN]
    rest = sum(found.values()) - sum(share for _, share in top)
    if len(found) > SHOWN:
        top.append((f"{len(found) - SHOWN} others", rest))
    top.reverse()
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [round(share, 4) for _, share in top],
        "y": [escape(name, quote=False) for name, _ in top],
        "marker": {"color": BLUE},
        "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
    }
    return figure(
        [bar],
        xaxis=axis("share of the importance", tickformat=".0%", rangemode="tozero"),
        yaxis=axis("", type="category"),
    )


def sites_html(results: Results, name: str, found: Mapping[str, Any]) -> str:
    """The scores of one method, layer x role, as shares of the largest."""
    scores = {site: float(value) for site, value in dict(found.get("site") or {}).items()}
    most = max(scores.values(), default=0.0)
    if most <= 0:
        return ""
    used = {site.partition(".")[2] for site in scores}
    roles = [r for r in dict.fromkeys(s.role for s in results.backbone.sites) if r in used]
    heads = "".join(f'<th scope="col">{escape(role.replace(".", ". "))}</th>' for role in roles)
    rows = "".join(
        f'<tr><th scope="row">{layer}</th>'
        + "".join(site_cell(scores.get(f"{layer}.{role}", 0.0) / most) for role in roles)
        + "</tr>"
        for layer in range(len(results.backbone.layers))
    )
    return (
        f"<h3>Sites by {escape(name)}</h3>"
        '<p class="muted">How much the loss of this data asks for each weight to change, before '
        "any search; 100 is the largest.</p>"
        f'<div class="scroll" role="region" aria-label="Sites by {escape(name)}" tabindex="0">'
        f'<table class="heat"><thead><tr><th scope="col">layer</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def site_cell(share: float) -> str:
    """One score as a whole percentage of the largest."""
    return f'<td class="s{round(STEPS * share)}">{100 * share:.0f}</td>'


def data(results: Results) -> dict[str, Any]:
    """One figure per objective, the first one first."""
    if too_few(results):
        return {}
    return {"figures": {FIGURE: {o.name: bars(results, o) for o in results.objectives}}}


VIEW = View(
    title="Importance",
    order=8,
    caption=(
        "Dimensions by PED-ANOVA over the finished trials: what the best fifth has in common. "
        "Sites by the methods that scored them before the search."
    ),
    unavailable=unavailable,
    html=html,
    data=data,
)
