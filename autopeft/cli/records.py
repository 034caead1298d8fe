"""Trials as plain data: what `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autopeft.describe import active_layers, describe
from autopeft.types import Backbone, Results, TrialRecord

BULKY = ("predictions", "curve", "shipped")
"""Provenance that is left out of lists of trials."""


def record(trial: TrialRecord, backbone: Backbone | None = None) -> dict[str, Any]:
    """One trial; its modules in words only where the backbone is known."""
    about = {k: v for k, v in trial.provenance.items() if k not in BULKY}
    data: dict[str, Any] = {
        "trial": trial.number,
        "state": trial.state,
        "origin": trial.origin,
        "feasible": trial.feasible,
        "objectives": {
            name: {"value": m.value, "error": m.error} for name, m in trial.objectives.items()
        },
        "configuration": trial.configuration.to_json(),
        "layers": sorted(active_layers(trial.configuration)),
        "point": dict(trial.point),
        "measurements": {
            name: {"value": m.value, "error": m.error} for name, m in trial.measurements.items()
        },
        "digest": trial.digest,
        **about,
    }
    if backbone is not None:
        data["modules"] = describe(trial.configuration, backbone)
    if trial.message:
        data["message"] = trial.message
    return data


def records(results: Results, trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Several trials, each with whether it is on the front."""
    return [
        {**record(trial, results.backbone), "on_front": trial.number in results.front}
        for trial in trials
    ]


def objectives(results: Results) -> list[dict[str, str]]:
    """Names, units and directions of the objectives, in order."""
    return [
        {"name": o.name, "label": o.label, "unit": o.unit, "direction": o.direction}
        for o in results.objectives
    ]
