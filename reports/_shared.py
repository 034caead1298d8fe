"""What several views say in the same words: escaped text, finished trials, objectives, commands."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autopeft.describe import active_layers, describe
from autopeft.format import MISSING, measured, rate_text
from autopeft.types import Direction, Measured, ObjectiveInfo, Results, TrialRecord

NOTHING_YET = "No trial has finished yet."
BASELINE = "baseline"


def finished(results: Results) -> list[TrialRecord]:
    """The complete trials, feasible or not, in the order they were asked."""
    return [trial for trial in results.trials if trial.state == "complete"]


def nothing_yet(results: Results) -> str:
    """The reason why a view of finished trials is empty, or an empty string."""
    return "" if finished(results) else NOTHING_YET


def is_baseline(trial: TrialRecord) -> bool:
    """Whether the trial is a default that others are compared with."""
    return trial.origin.startswith(BASELINE)


def baseline_name(trial: TrialRecord) -> str:
    """`LoRA r=8 on q,v` of the origin `baseline: LoRA r=8 on q,v`."""
    return trial.origin.removeprefix(BASELINE).lstrip(": ") or f"trial {trial.number}"


def value_of(trial: TrialRecord, objective: ObjectiveInfo) -> Measured:
    """The trial's value of an objective, NaN where it has none."""
    return trial.objectives.get(objective.name, Measured(float("nan")))


def rows(results: Results, trials: Sequence[TrialRecord]) -> list[list[float]]:
    """The objective values of each trial."""
    return [[value_of(t, o).value for o in results.objectives] for t in trials]


def directions(results: Results) -> list[Direction]:
    """The direction of each objective."""
    return [objective.direction for objective in results.objectives]


def objective_text(trial: TrialRecord, objective: ObjectiveInfo) -> str:
    """Value, standard error and unit, such as `89.2 ± 0.4 %`."""
    return measured(value_of(trial, objective), objective.unit)


def modules_text(trial: TrialRecord, results: Results) -> str:
    """The modules in words, such as `lora 8, serial_adapter 24`."""
    return describe(trial.configuration, results.backbone)


def layers_text(trial: TrialRecord, results: Results) -> str:
    """Layers with a module over all layers, such as `4/12`."""
    return f"{len(active_layers(trial.configuration))}/{len(results.backbone.layers)}"


def learning_rate_text(trial: TrialRecord) -> str:
    """The learning rate, such as `0.0003`."""
    return rate_text(trial.configuration.learning_rate)


def seeds_text(trial: TrialRecord) -> str:
    """How many seeds the trial was trained with."""
    seeds = trial.provenance.get("seeds")
    return str(len(seeds)) if isinstance(seeds, list | tuple) else MISSING


def state_text(trial: TrialRecord, results: Results) -> str:
    """Where a finished trial stands: `front`, `dominated` or `over the limit`."""
    if trial.number in results.front:
        return "front"
    return "dominated" if trial.feasible else "over the limit"


def command_html(command: str) -> str:
    """A command with a button that copies it."""
    text = escape(command)
    return (
        f'<div class="command"><code>{text}</code>'
        f'<button type="button" class="control" data-copy="{text}">Copy</button></div>'
    )


def select_html(trial: TrialRecord) -> str:
    """The number of a trial, as a button that selects it in every view."""
    number = trial.number
    return f'<button type="button" class="link" data-trial="{number}">#{number}</button>'
