"""Table: every finished trial as plain HTML, the front first, with its configuration to copy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from autopeft.describe import size_of
from autopeft.types import Comparison, Configuration, Placement, Results, TrialRecord, View

from . import _shared as shared
from . import _studies as several
from ._side_by_side import fronts_html

Cell = tuple[str, str]
"""(text, what it sorts by)."""
PEFT_TASK = "SEQ_CLS"
"""The task type of peft for classification and regression, as `LoraConfig` takes it."""
TEXT_COLUMNS = ("modules", "standing", "origin")


def html(results: Results) -> str:
    """Controls, the table, the selected configuration and the failures."""
    parts = [
        shared.thinned_html(results),
        controls(results),
        table(results),
        configuration_panel(),
        failures(results),
    ]
    return "\n".join(part for part in parts if part)


def data(results: Results) -> dict[str, Any]:
    """The configurations by trial number, each site named once: `sites[index]`; the other rows."""
    trials = {str(trial.number): trial for trial in shared.drawn(results)}
    found = packed(trials, {site.name: site.path for site in results.backbone.sites})
    rest = "".join(row(results, trial) for trial in others(results))
    return found | {"others": rest, "studies": [shared.quoted(results.study)]}


def several_data(studies: Sequence[Results]) -> dict[str, Any]:
    """The configurations of the fronts; without module paths where the backbones differ."""
    trials = {several.key(i, trial): trial for i, trial in several.fronts(studies)}
    same = all(results.backbone == studies[0].backbone for results in studies)
    sites = studies[0].backbone.sites if same else ()
    found = packed(trials, {site.name: site.path for site in sites})
    return found | {"studies": [shared.quoted(results.study) for results in studies]}


def packed(trials: Mapping[str, TrialRecord], paths: Mapping[str, str]) -> dict[str, Any]:
    """Configurations by key, with each site and its path named once."""
    sites = sorted({p.site for t in trials.values() for p in t.configuration.placements})
    index = {site: i for i, site in enumerate(sites)}
    return {
        "sites": sites,
        "paths": [paths.get(site, "") for site in sites],
        "task": PEFT_TASK,
        "configurations": {key: grouped(t.configuration, index) for key, t in trials.items()},
    }


def grouped(configuration: Configuration, index: dict[str, int]) -> dict[str, Any]:
    """The placements with equal modules and settings together, numbers as JSON text."""
    groups: dict[tuple[str, str, int | None], list[int]] = {}
    for placed in configuration.to_json()["placements"]:
        size = size_of(Placement(placed["site"], placed["module"], placed["settings"]))
        key = (placed["module"], json.dumps(placed["settings"]), size)
        groups.setdefault(key, []).append(index[placed["site"]])
    return {
        "groups": [
            {"module": m, "settings": s, "size": size, "sites": sites}
            for (m, s, size), sites in groups.items()
        ],
        "order": [index[placement.site] for placement in configuration.placements],
        "learning_rate": json.dumps(configuration.learning_rate),
    }


def controls(results: Results) -> str:
    """The filter and the switch between the front and all finished trials."""
    rest = len(others(results))
    switch = (
        f'<label><input type="checkbox" id="table-all"> Show the other {rest} finished too</label>'
    )
    return (
        '<p class="controls">'
        '<label>Filter <input type="search" id="table-filter" autocomplete="off"></label>'
        f'{switch if rest else ""}<span id="table-count" role="status"></span></p>'
    )


def table(results: Results) -> str:
    """The table; the page's script adds the other rows, hidden until they are asked for."""
    heads = "".join(head(name) for name in columns(results))
    rows = "".join(row(results, trial) for trial in listed(results))
    return (
        '<div class="scroll" role="region" aria-label="Table of trials" tabindex="0">'
        f'<table id="trials"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def listed(results: Results) -> list[TrialRecord]:
    """The front in its own order; every drawn trial where there is no front."""
    return [results.trial(number) for number in results.front] or shared.drawn(results)


def others(results: Results) -> list[TrialRecord]:
    """The drawn trials that are not listed."""
    numbers = {trial.number for trial in listed(results)}
    return [trial for trial in shared.drawn(results) if trial.number not in numbers]


def columns(results: Results) -> list[str]:
    """The column headings, in the order of `cells`."""
    labels = [objective.label for objective in results.objectives]
    rest = ["modules", "layers", "learning rate", "seeds", "standing", "origin"]
    return ["trial", *labels, "P(on the front)", *rest]


def head(name: str) -> str:
    """A heading whose button sorts by the column."""
    kind = "text" if name in TEXT_COLUMNS else "number"
    return (
        f'<th scope="col" data-kind="{kind}">'
        f'<button type="button" class="sort">{escape(name)}</button></th>'
    )


def row(results: Results, trial: TrialRecord) -> str:
    """One trial."""
    (number, _), *rest = cells(results, trial)
    names = columns(results)[1:]
    kind = ' class="other"' if results.front and trial.number not in results.front else ""
    rest_html = "".join(cell_html(name, *cell) for name, cell in zip(names, rest, strict=True))
    return (
        f'<tr data-trial="{trial.number}"{kind} tabindex="-1">'
        f'<th scope="row" data-sort="{trial.number}">{escape(number)}</th>{rest_html}</tr>'
    )


def cell_html(column: str, text: str, key: str) -> str:
    """One cell; text may wrap, numbers stay whole."""
    if column in TEXT_COLUMNS:
        return f'<td class="{column}">{escape(text)}</td>'
    return f'<td data-sort="{escape(key)}">{escape(text)}</td>'


def cells(results: Results, trial: TrialRecord) -> list[Cell]:
    """Text and sort key of every column."""
    values = [
        (shared.objective_text(trial, o), repr(shared.value_of(trial, o).value))
        for o in results.objectives
    ]
    layers, seeds = shared.layers_text(trial, results), shared.seeds_text(trial)
    rate = trial.configuration.learning_rate
    words = (shared.modules_text(trial, results), shared.state_text(trial, results), trial.origin)
    modules, standing, origin = ((text, text) for text in words)
    likely = shared.probability_text(results, trial)
    return [
        (f"#{trial.number}", str(trial.number)),
        *values,
        (likely, likely.removeprefix("< ")),
        modules,
        (layers, layers.partition("/")[0]),
        (shared.learning_rate_text(trial), repr(rate)),
        (seeds, seeds),
        standing,
        origin,
    ]


def several_html(studies: Sequence[Results]) -> str:
    """The fronts of all studies, and the selected configuration."""
    return fronts_html(studies) + configuration_panel()


def configuration_panel() -> str:
    """Where the script shows the selected configuration."""
    return (
        '<div id="configuration" hidden><h3>Configuration of <span id="configuration-name"></span>'
        '</h3><p class="controls"><button type="button" data-format="json">Copy JSON'
        '</button> <button type="button" data-format="yaml">Copy YAML</button> '
        '<button type="button" data-format="python">Copy LoraConfig(...)</button></p>'
        '<p class="muted">Train it, with a script of your own:</p><div class="command">'
        '<code id="configuration-command"></code>'
        '<button type="button" class="control" id="configuration-copy" data-copy="">Copy</button>'
        "</div>"
        '<pre id="configuration-text" tabindex="0" aria-label="Configuration"></pre></div>'
    )


def failures(results: Results) -> str:
    """The failed trials and why."""
    failed = [trial for trial in results.trials if trial.state == "failed"]
    if not failed:
        return ""
    items = "".join(
        f"<li>#{trial.number} {escape(shared.modules_text(trial, results))}: "
        f"{escape(trial.message or 'no reason was recorded')}</li>"
        for trial in failed
    )
    return (
        f'<details class="failed"><summary>{len(failed)} failed</summary><ul>{items}</ul></details>'
    )


VIEW = View(
    title="Configurations",
    order=3,
    caption=(
        "The Pareto front, by its second objective. Click a heading to sort; use the arrow keys to "
        "move and Enter to copy the configuration."
    ),
    unavailable=shared.nothing_yet,
    html=html,
    data=data,
    several=Comparison(
        caption=(
            "The fronts of all studies. Click a heading to sort; use the arrow keys to move and "
            "Enter to copy the command that writes a training script."
        ),
        html=several_html,
        data=several_data,
    ),
)
