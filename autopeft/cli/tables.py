"""Trials as a table of a few columns, and as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from autopeft.cli.output import Table
from autopeft.describe import active_layers, describe
from autopeft.format import byte_scale, measured
from autopeft.types import Measured, ObjectiveInfo, Results, TrialRecord

NAN = Measured(float("nan"))


def trial_table(
    results: Results, trials: Sequence[TrialRecord], notes: Mapping[int, str] | None = None
) -> Table:
    """Objectives with their errors, modules, layers and a note on each trial."""
    columns = [_objective_column(objective, trials) for objective in results.objectives]
    headings = ["trial", *(heading for heading, _ in columns), "modules", "layers", "note"]
    rows = [
        [
            str(trial.number),
            *(cells[i] for _, cells in columns),
            describe(trial.configuration, results.backbone),
            layers_text(results, trial),
            (notes or {}).get(trial.number, ""),
        ]
        for i, trial in enumerate(trials)
    ]
    right = frozenset({*range(len(columns) + 1), len(columns) + 2})
    return Table(headings, rows, right)


def _objective_column(
    objective: ObjectiveInfo, trials: Sequence[TrialRecord]
) -> tuple[str, list[str]]:
    """Heading with the unit, and one cell per trial; bytes in one unit for all."""
    found = [trial.objectives.get(objective.name, NAN) for trial in trials]
    scale, unit = 1.0, objective.unit
    if unit == "B":
        scale, unit = byte_scale(max((m.value for m in found if m is not NAN), default=0.0))
    cells = [measured(Measured(m.value / scale, m.error / scale), "") for m in found]
    return f"{objective.label.lower()} {unit}".rstrip(), cells


def layers_text(results: Results, trial: TrialRecord) -> str:
    """Layers with a module over all layers, such as `4/12`."""
    return f"{len(active_layers(trial.configuration))}/{len(results.backbone.layers)}"


def notes_on(results: Results) -> dict[int, str]:
    """Trial number -> `best`, `knee`, `smallest`, and the name of a default."""
    from autopeft.study.results import choose

    notes: dict[int, list[str]] = {}
    if results.front:
        for which in ("best", "knee", "smallest"):
            notes.setdefault(choose(results, which).number, []).append(which)
    for trial in results.trials:
        if trial.default:
            notes.setdefault(trial.number, []).append(f"default: {trial.default}")
    return {number: ", ".join(words) for number, words in notes.items()}


def csv_text(results: Results, trials: Sequence[TrialRecord]) -> str:
    """Raw numbers, each objective with its standard error; one line per trial."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [objective.name for objective in results.objectives]
    measures = [name for n in names for name in (n, f"{n}_error")]
    writer.writerow(
        ["trial", *measures, "trainable", "learning_rate", "modules", "layers", "front", "origin"]
    )
    for trial in trials:
        found = [trial.objectives.get(name, NAN) for name in names]
        trained = trial.measurements.get("trainable", NAN).value
        writer.writerow(
            [
                trial.number,
                *(number for m in found for number in (m.value, m.error)),
                int(trained) if trained == trained else "",
                trial.configuration.learning_rate,
                describe(trial.configuration, results.backbone),
                " ".join(map(str, sorted(active_layers(trial.configuration)))),
                int(trial.number in results.front),
                trial.origin,
            ]
        )
    return buffer.getvalue().rstrip("\n")
