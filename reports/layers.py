"""Layers: where the modules of a configuration sit, and where capacity goes along the front."""

from __future__ import annotations

from html import escape
from typing import Any

from autopeft.describe import SHIPPED, as_shipped, describe, shown_as
from autopeft.types import Results, TrialRecord, View

from . import _shared as shared
from ._chosen import default_trial
from ._heat import Grid, grid_of, of_site, plain, small_html, table_html

MULTIPLES = 12


def unavailable(results: Results) -> str:
    """The reason when no finished trial has a module."""
    if reason := shared.nothing_yet(results):
        return reason
    trained = any(t.configuration.placements for t in shared.finished(results))
    return "" if trained else "No finished trial has a module: only the head was trained."


def html(results: Results) -> str:
    """The map of one configuration, and small ones along the front."""
    trial, grid = default_trial(results), grid_of(results, shared.drawn(results))
    return (
        f'<h3>Trial <span id="layers-name">#{trial.number}</span> '
        f'<span id="layers-state">{shown_as(trial)}</span></h3>'
        '<div class="scroll" role="region" aria-label="Layers and sites" tabindex="0">'
        f"{table_html(grid, trial, 'layers-map')}</div>"
        f"{multiples(results, grid)}"
    )


def multiples(results: Results, grid: Grid) -> str:
    """Small maps of the front, in its order."""
    chosen = spread([results.trial(number) for number in results.front])
    if len(chosen) < 2:
        return ""
    name = shared.label(results.objectives[min(1, len(results.objectives) - 1)])
    items = "".join(multiple(results, grid, trial) for trial in chosen)
    return f'<h3>Along the front, by {escape(name)}</h3><div class="multiples">{items}</div>'


def spread(trials: list[TrialRecord]) -> list[TrialRecord]:
    """At most twelve, evenly chosen, with both ends."""
    if len(trials) <= MULTIPLES:
        return trials
    step = (len(trials) - 1) / (MULTIPLES - 1)
    return [trials[round(i * step)] for i in range(MULTIPLES)]


def multiple(results: Results, grid: Grid, trial: TrialRecord) -> str:
    """One small map with its number and its size."""
    second = results.objectives[min(1, len(results.objectives) - 1)]
    size = shared.objective_text(trial, second)
    words = f"Trial {trial.number}: {describe(as_shipped(trial), results.backbone)}"
    return (
        f'<figure data-trial="{trial.number}">{small_html(grid, trial, words)}'
        f"<figcaption>{shared.select_html(trial)} {escape(size)}</figcaption></figure>"
    )


def data(results: Results) -> dict[str, Any]:
    """The grid, which the page's script fills with the selected configuration, or what it ships."""
    trials = shared.drawn(results)
    return plain(grid_of(results, trials)) | {
        "shipped": {str(t.number): of_site(t) for t in trials if SHIPPED in t.provenance},
        "states": {str(t.number): words for t in trials if (words := shown_as(t))},
    }


VIEW = View(
    title="Layers",
    order=4,
    caption=(
        "The size of each module where it sits, layer 0 at the top; lighter is larger, on a "
        "logarithmic scale up to the largest of its kind in this study. A trial whose method moves "
        "or cuts ranks is shown as it ships, once it has finished. Select another trial to see it "
        "here."
    ),
    unavailable=unavailable,
    html=html,
    data=data,
)
