"""Every trial of one study or several as a table of plain numbers, for pandas and the like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft.describe import active_layers, describe
from autopeft.errors import UsageError
from autopeft.types import Results, TrialRecord

if TYPE_CHECKING:
    import pandas as pd


def table(studies: Sequence[Results]) -> pd.DataFrame:
    """One row per trial, finished or not; what a trial has no value of is missing.

    Columns: `study`, `trial`, `state`, `origin`, `feasible`, `front`, `front_probability`, each
    objective and its `_error`, `measured.*` and `measured.*_error` (counts in parameters, memory in
    bytes, scores as fractions), `learning_rate`, `modules`, `layers`, `dimension.*`, `message`,
    `digest`.
    """
    import pandas as pd

    return pd.DataFrame([row(results, trial) for results in studies for trial in results.trials])


def row(results: Results, trial: TrialRecord) -> dict[str, Any]:
    """One trial by column."""
    likely = (results.info.get("front_probability") or {}).get("trials") or {}
    found: dict[str, Any] = {
        "study": results.study,
        "trial": trial.number,
        "state": trial.state,
        "origin": trial.origin,
        "feasible": trial.feasible,
        "front": trial.number in results.front,
        "front_probability": likely.get(trial.number),
    }
    for objective in results.objectives:
        value = trial.objectives.get(objective.name)
        found[objective.name] = value.value if value else None
        found[f"{objective.name}_error"] = value.error if value else None
    for name, measured in trial.measurements.items():
        found[f"measured.{name}"] = measured.value
        if measured.error:
            found[f"measured.{name}_error"] = measured.error
    found |= {
        "learning_rate": trial.configuration.learning_rate,
        "modules": describe(trial.configuration, results.backbone),
        "layers": " ".join(map(str, sorted(active_layers(trial.configuration)))),
        "message": trial.message,
        "digest": trial.digest,
    }
    # As text: one dimension may hold numbers in one study and words in another.
    return found | {f"dimension.{name}": str(value) for name, value in trial.point.items()}


def write(studies: Sequence[Results], path: Path) -> Path:
    """Write the table as Parquet, or as comma-separated values when the suffix is `.csv`.

    Raises:
        UsageError: the path cannot be written.
    """
    found = table(studies)
    try:
        if path.suffix == ".csv":
            found.to_csv(path, index=False, lineterminator="\n")
        else:
            found.to_parquet(path, index=False)
    except OSError as error:
        raise UsageError(
            f"`{path}` cannot be written: {error.strerror or error}",
            hint="name a file in a folder of yours",
        ) from error
    return path
