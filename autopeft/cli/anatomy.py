"""One configuration taken apart: its numbers, its layer x site table, and two side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autopeft.cli.output import Table
from autopeft.cli.tables import NAN, notes_on
from autopeft.describe import SIZES, as_shipped, describe, shown_as, size_of
from autopeft.format import bytes_text, count_text, measured, quantity, rate_text
from autopeft.paired_difference import difference
from autopeft.types import (
    Backbone,
    Configuration,
    Measured,
    ObjectiveInfo,
    Placement,
    Results,
    TrialRecord,
)

NOTHING = "\N{MIDDLE DOT}"


def facts_of(results: Results, trial: TrialRecord) -> dict[str, str]:
    """Name -> text, in reading order; empty where a fact is not known."""
    standing = "on the front" if trial.number in results.front else "not on the front"
    note = notes_on(results).get(trial.number, "")
    return {
        "trial": ", ".join(w for w in (str(trial.number), standing, note) if w),
        "origin": trial.origin,
        **{o.label.lower(): _objective(trial, o) for o in results.objectives if o.unit != "B"},
        "parameters": _parameters(results, trial),
        "head": _head(trial),
        "memory": _memory(results, trial),
        "learning rate": rate_text(trial.configuration.learning_rate),
        "modules": describe(trial.configuration, results.backbone),
        "settings": _fixed_settings(trial.configuration),
        "sites": shown_as(trial),
        "training": _training(trial),
        "digest": trial.digest,
    }


def _objective(trial: TrialRecord, objective: ObjectiveInfo) -> str:
    return measured(trial.objectives.get(objective.name, NAN), objective.unit)


def _number(trial: TrialRecord, name: str) -> float:
    return trial.measurements.get(name, NAN).value


def _parameters(results: Results, trial: TrialRecord) -> str:
    exact, published = _number(trial, "trainable"), _number(trial, "published")
    if math.isnan(exact):
        return ""
    share = quantity(100 * exact / results.backbone.parameters, "%")
    words = f"{count_text(exact)}, {share} of {count_text(results.backbone.parameters)}"
    shipped = _number(trial, "shipped")
    if not math.isnan(shipped):
        return f"{words} while training; {count_text(shipped)} in what is exported"
    same = math.isnan(published) or published == exact
    return words if same else f"{words}; {count_text(published)} as the papers count them"


def _head(trial: TrialRecord) -> str:
    head = _number(trial, "head")
    return "" if math.isnan(head) else f"{count_text(head)}, trained too and counted apart"


def _memory(results: Results, trial: TrialRecord) -> str:
    shape = trial.provenance.get("memory_shape")
    batch = f" for {shape[0]} rows of {shape[1]} tokens" if shape else ""
    batch += ", layers checkpointed" if trial.provenance.get("gradient_checkpointing") else ""
    found = [
        f"{bytes_text(value)} {word}"
        for word in ("measured", "predicted")
        if not math.isnan(value := _number(trial, f"memory_{word}"))
    ]
    return ", ".join(found) + batch if found else ""


def _training(trial: TrialRecord) -> str:
    about = trial.provenance
    if "steps" not in about:
        return ""
    words = f"{about['steps']} steps of {about.get('batch')} rows, {about.get('length')} tokens"
    seconds = _number(trial, "seconds")
    spent = "" if math.isnan(seconds) else f", {quantity(seconds, 's')}"
    return f"{words}, {about.get('dtype')} on {about.get('device')}{spent}"


def _fixed_settings(configuration: Configuration) -> str:
    """Settings beside the size, such as `lora scaling 2`."""
    found: dict[str, None] = {}
    for placement in configuration.placements:
        for name, value in placement.settings.items():
            if name not in SIZES:
                found[f"{placement.module} {name} {value}"] = None
    return ", ".join(found)


# --- Layer x site -----------------------------------------------------------------------------


def site_table(configuration: Configuration, backbone: Backbone) -> Table:
    """One row per layer, one column per role in use, and in each cell the modules' sizes."""
    cells = _cells(configuration)
    used = {role for _, role in cells}
    ordered = dict.fromkeys(site.role for site in backbone.sites if site.role in used)
    roles = [*ordered, *sorted(used - set(ordered))]
    rows = [
        [str(layer), *(cells.get((layer, role), NOTHING) for role in roles)]
        for layer in range(len(backbone.layers))
    ]
    return Table(["layer", *roles], rows, frozenset({0}))


def _cells(configuration: Configuration) -> dict[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    for placement in configuration.placements:
        layer, _, role = placement.site.partition(".")
        key = (int(layer), role)
        found[key] = f"{found[key]}, {_cell(placement)}" if key in found else _cell(placement)
    return found


def _cell(placement: Placement) -> str:
    size = size_of(placement)
    return placement.module if size is None else f"{placement.module} {size}"


# --- Side by side -----------------------------------------------------------------------------


def comparison_table(results: Results, trial: TrialRecord, other: TrialRecord) -> Table:
    """The numbers of two trials and, for objectives, the difference with its error."""
    rows = [
        [
            objective.label.lower(),
            _objective(trial, objective),
            _objective(other, objective),
            _difference(results, trial, other, objective),
        ]
        for objective in results.objectives
    ]
    known = {o.label.lower() for o in results.objectives} | {"trial", "digest", "training"}
    pair: list[Mapping[str, str]] = [facts_of(results, t) for t in (trial, other)]
    rows += [
        [name, pair[0][name], pair[1].get(name, ""), ""]
        for name in pair[0]
        if name not in known and pair[0][name]
    ]
    heading = ["", f"trial {trial.number}", f"trial {other.number}", "difference"]
    return Table(heading, rows)


def _difference(
    results: Results, trial: TrialRecord, other: TrialRecord, objective: ObjectiveInfo
) -> str:
    found = difference(results, trial, other, objective)
    sign = "+" if found.value > 0 else "\N{MINUS SIGN}" if found.value < 0 else ""
    unit = "points" if objective.unit == "%" else objective.unit
    return sign + measured(Measured(abs(found.value), found.error), unit)


def changes_table(results: Results, trial: TrialRecord, other: TrialRecord) -> Table:
    """The sites at which two trials differ, in what they ship where that is known."""
    a, b = (_cells(as_shipped(t)) for t in (trial, other))
    order = [(site.layer, site.role) for site in results.backbone.sites]
    keys = [key for key in order if a.get(key) != b.get(key)]
    rows = [
        [f"{layer}.{role}", a.get((layer, role), NOTHING), b.get((layer, role), NOTHING)]
        for layer, role in keys
    ]
    return Table(["site", f"trial {trial.number}", f"trial {other.number}"], rows)
