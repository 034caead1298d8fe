"""Tables of several studies: one row per study, one per front trial, one per setting."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from autopeft.format import count_text
from autopeft.types import Results

from . import _shared as shared
from . import _studies as several
from ._chosen import choices
from ._hypervolume import Box, box_of, growth, usable


def cells_html(texts: Iterable[str]) -> str:
    """Table cells of plain texts."""
    return "".join(f"<td>{escape(text)}</td>" for text in texts)


def heads_html(texts: Iterable[str]) -> str:
    """Column headings."""
    return "".join(f'<th scope="col">{escape(text)}</th>' for text in texts)


def table_html(label: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    """A table that scrolls on its own where the page is narrow."""
    return (
        f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0"><table>'
        f"<thead><tr>{heads_html(heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def summary_html(studies: Sequence[Results]) -> str:
    """What cannot be compared, then one row per study."""
    first = studies[0].objectives[0]
    heads = ["study", "backbone", "data", "space", "sampler", "trials", "on the front"]
    heads += [f"best {shared.label(first)}", "knee", "hypervolume"]
    able = [r for r in studies if usable(r)]
    box = box_of(able) if able else None
    rows = (study_row(i, results, box) for i, results in enumerate(studies))
    return alerts_html(studies) + table_html("Studies", heads, rows)


def study_row(index: int, results: Results, box: Box | None) -> str:
    """One study."""
    info, chosen = results.info, choices(results)
    trials = list(chosen.values())
    best, knee = (
        (f"#{t.number} {shared.objective_text(t, results.objectives[0])}" for t in trials[:2])
        if trials
        else ("", "")
    )
    share = growth(results, box).share[-1] if box and usable(results) else 0.0
    done = len(shared.finished(results))
    texts = (
        results.backbone.name,
        str(info.get("dataset") or ""),
        str(info.get("space") or ""),
        several.sampler(results),
        count_text(done),
        count_text(len(results.front)),
        best,
        knee,
        f"{share:.3f}",
    )
    return (
        f'<tr><th scope="row">{escape(several.name(index, results))}</th>{cells_html(texts)}</tr>'
    )


def alerts_html(studies: Sequence[Results]) -> str:
    """A warning when the scores of the studies mean different things."""
    if not (found := several.incomparable(studies)):
        return ""
    words = f"The studies differ in {', '.join(found)}: their scores are not one scale."
    return f'<ul class="alerts" aria-label="Alerts"><li>{escape(words)}</li></ul>'


def fronts_html(studies: Sequence[Results]) -> str:
    """Every front trial of every study, sortable, with the command that exports it."""
    joint = several.joint_front(studies)
    labels = [o.label for o in studies[0].objectives]
    heads = ["study", "trial", *labels, "P(on the front)", "modules", "layers", "joint front"]
    body = "".join(
        front_row(studies, index, number=n, joint=joint)
        for index, results in enumerate(studies)
        for n in results.front
    )
    head = "".join(
        f'<th scope="col" data-kind="{"text" if name in TEXT else "number"}">'
        f'<button type="button" class="sort">{escape(name)}</button></th>'
        for name in heads
    )
    return (
        '<p class="controls"><label>Filter <input type="search" id="table-filter" '
        'autocomplete="off"></label><span id="table-count" role="status"></span></p>'
        '<div class="scroll" role="region" aria-label="Table of trials" tabindex="0">'
        f'<table id="trials"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


TEXT = ("study", "modules", "joint front")


def front_row(studies: Sequence[Results], index: int, *, number: int, joint: set[str]) -> str:
    """One trial of one study."""
    results = studies[index]
    trial = results.trial(number)
    likely = shared.probability_text(results, trial)
    layers = shared.layers_text(trial, results)
    words = shared.modules_text(trial, results)
    mark = "yes" if several.key(index, trial) in joint else "no"
    cells = [
        (f"#{number}", str(number)),
        *(
            (shared.objective_text(trial, o), repr(shared.value_of(trial, o).value))
            for o in results.objectives
        ),
        (likely, likely.removeprefix("< ")),
        (words, words),
        (layers, layers.partition("/")[0]),
        (mark, mark),
    ]
    study = escape(several.name(index, results))
    rest = "".join(cell_html(text, key, wraps=text is words) for text, key in cells)
    command = shared.train_command(results.study, number)
    return (
        f'<tr data-trial="{several.key(index, trial)}" data-enter="{escape(command)}" '
        f'tabindex="-1"><th scope="row" data-sort="{study}">{study}</th>{rest}</tr>'
    )


def cell_html(text: str, key: str, *, wraps: bool) -> str:
    """One cell, and what it sorts by; words may wrap, numbers stay whole."""
    kind = ' class="modules"' if wraps else ""
    return f'<td{kind} data-sort="{escape(key)}">{escape(text)}</td>'


def differences_html(studies: Sequence[Results]) -> str:
    """What is not the same in all studies, and the command of each."""
    found = several.differing(studies)
    heads = ["", *(several.name(i, results) for i, results in enumerate(studies))]
    rows = (
        f'<tr><th scope="row">{escape(name)}</th>{cells_html(map(text_of, values))}</tr>'
        for name, values in found.items()
    )
    table = table_html("Differences", heads, rows) if found else "<p>They differ in nothing.</p>"
    commands = "".join(
        f"<h3>{escape(several.name(i, results))}</h3>"
        + shared.command_html(str(results.info.get("command") or ""))
        + shared.command_html(f"autopeft report {shlex.quote(results.study)}")
        for i, results in enumerate(studies)
    )
    return f"<h3>What differs</h3>{table}{commands}"


def text_of(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "none" if value in (None, "") else str(value)
