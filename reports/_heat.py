"""Layer x site maps: the size of each module as a colour step and as a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from autopeft.describe import active, as_shipped, size_of
from autopeft.types import Configuration, Results, TrialRecord

STEPS = 10
"""Colour steps above zero; `page.css` has their colours (Cividis)."""
Column = tuple[str, str]
"""(module, role)."""


@dataclass(frozen=True)
class Grid:
    """The columns that a study's maps share, and the largest size of each module."""

    columns: tuple[Column, ...]
    largest: dict[str, int]
    layers: int

    def step(self, column: Column, size: int | None) -> int:
        """The colour step of a size, 0 to 10, by its logarithm."""
        if size is None:
            return STEPS
        if size < 1:
            return 0
        most = math.log2(1 + max(self.largest.get(column[0], 1), 1))
        return max(1, min(STEPS, round(STEPS * math.log2(1 + size) / most)))


def grid_of(results: Results, trials: Sequence[TrialRecord]) -> Grid:
    """The columns in use by any of the trials, modules together, roles in the backbone's order."""
    used: dict[Column, int] = {}
    for trial in trials:
        for (_, column), size in sizes(as_shipped(trial)).items():
            used[column] = max(used.get(column, 0), size or 0)
    order = {site.role: i for i, site in enumerate(results.backbone.sites)}
    columns = sorted(used, key=lambda c: (c[0], order.get(c[1], len(order)), c[1]))
    largest: dict[str, int] = {}
    for (module, _), size in used.items():
        largest[module] = max(largest.get(module, 0), size)
    return Grid(tuple(columns), largest, len(results.backbone.layers))


def sizes(configuration: Configuration) -> dict[tuple[int, Column], int | None]:
    """(layer, column) -> size of the module there; None where it has no size."""
    found: dict[tuple[int, Column], int | None] = {}
    for placement in active(configuration):
        layer, _, role = placement.site.partition(".")
        found[int(layer), (placement.module, role)] = size_of(placement)
    return found


def of_site(trial: TrialRecord) -> list[list[Any]]:
    """`[layer, module, role, size]` of everything that a trial ships."""
    found = sizes(as_shipped(trial)).items()
    return [[layer, module, role, size] for (layer, (module, role)), size in found]


def table_html(grid: Grid, trial: TrialRecord, identity: str) -> str:
    """The map of one trial as a table, of what it ships where that is known."""
    found = sizes(as_shipped(trial))
    rows = "".join(_row(grid, found, layer) for layer in range(grid.layers))
    return (
        f'<table class="heat" id="{identity}"><thead>{head_html(grid)}</thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def head_html(grid: Grid) -> str:
    """Two rows of headings: modules over their roles."""
    modules = [column[0] for column in grid.columns]
    spans = "".join(
        f'<th scope="colgroup" colspan="{modules.count(m)}">{escape(m)}</th>'
        for m in dict.fromkeys(modules)
    )
    roles = "".join(f'<th scope="col">{escape(_short(role))}</th>' for _, role in grid.columns)
    return f'<tr><th rowspan="2" scope="col">layer</th>{spans}</tr><tr>{roles}</tr>'


def _short(role: str) -> str:
    """The role with room to break after its dot."""
    return role.replace(".", ". ")


def _row(grid: Grid, found: dict[tuple[int, Column], int | None], layer: int) -> str:
    cells = "".join(_cell(grid, found, (layer, column)) for column in grid.columns)
    return f'<tr><th scope="row">{layer}</th>{cells}</tr>'


def _cell(
    grid: Grid, found: dict[tuple[int, Column], int | None], place: tuple[int, Column]
) -> str:
    if place not in found:
        return '<td class="s0"></td>'
    size = found[place]
    words = "on" if size is None else str(size)
    return f'<td class="s{grid.step(place[1], size)}">{words}</td>'


def small_html(grid: Grid, trial: TrialRecord, words: str) -> str:
    """The map of one trial as a picture without numbers; one path for each colour step."""
    paths: dict[int, list[str]] = {}
    for (layer, column), size in sorted(sizes(as_shipped(trial)).items()):
        across = grid.columns.index(column)
        paths.setdefault(grid.step(column, size), []).append(f"M{across} {layer}h1v1h-1z")
    drawn = "".join(
        f'<path class="s{step}" d="{"".join(d)}"/>' for step, d in sorted(paths.items())
    )
    width, height = max(len(grid.columns), 1), max(grid.layers, 1)
    return (
        f'<svg class="map" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}">{drawn}</svg>'
    )


def plain(grid: Grid) -> dict[str, Any]:
    """The grid as the page's script reads it."""
    return {
        "columns": [list(column) for column in grid.columns],
        "largest": grid.largest,
        "layers": grid.layers,
    }
