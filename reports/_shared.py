"""What several views say in the same words: escaped text, finished trials, objectives, commands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from html import escape

from autopeft.describe import active_layers, describe
from autopeft.format import MISSING, measured, rate_text
from autopeft.types import Direction, Measured, ObjectiveInfo, Results, TrialRecord

from ._once import once

NOTHING_YET = "No trial has finished yet."
MEMORY = "peak_memory"
MOST_DRAWN = 600
"""Finished trials that a page draws and lists; a browser is slow with many more."""


def finished(results: Results) -> list[TrialRecord]:
    """The complete trials, feasible or not, in the order they were asked."""
    return [trial for trial in results.trials if trial.state == "complete"]


def nothing_yet(results: Results) -> str:
    """The reason why a view of finished trials is empty, or an empty string."""
    return "" if finished(results) else NOTHING_YET


@once
def drawn(results: Results) -> list[TrialRecord]:
    """The finished trials that the page shows: the front, the defaults and an even choice."""
    done, front = finished(results), set(results.front)
    kept = {t.number for t in done if t.number in front or t.default}
    rest = [t.number for t in done if t.number not in kept]
    room = max(MOST_DRAWN - len(kept), 0)
    if len(rest) > room:
        step = len(rest) / room if room else 0.0
        rest = [rest[int(i * step)] for i in range(room)]
    chosen = kept | set(rest)
    return [trial for trial in done if trial.number in chosen]


def thinned_html(results: Results) -> str:
    """What is left out of the page, or an empty string."""
    done, shown = finished(results), drawn(results)
    if len(done) == len(shown):
        return ""
    return (
        f'<p class="thinned">{len(shown):,} of {len(done):,} finished trials are drawn: the front, '
        "the defaults and an even choice of the rest. <code>autopeft report -o results.parquet"
        "</code> writes all of them.</p>"
    )


def value_of(trial: TrialRecord, objective: ObjectiveInfo) -> Measured:
    """The trial's value of an objective, NaN where it has none."""
    return trial.objectives.get(objective.name, Measured(float("nan")))


def rows(results: Results, trials: Sequence[TrialRecord]) -> list[list[float]]:
    """The objective values of each trial."""
    return [[value_of(t, o).value for o in results.objectives] for t in trials]


def directions(results: Results) -> list[Direction]:
    """The direction of each objective."""
    return [objective.direction for objective in results.objectives]


def probability_text(results: Results, trial: TrialRecord) -> str:
    """P(on the front), such as `0.83`; a dash where it was not worked out."""
    facts = results.info.get("front_probability") or {}
    if not facts.get("trials") or not trial.feasible:
        return MISSING
    share = facts["trials"].get(trial.number, 0.0)
    return "< 0.01" if share < 0.01 else f"{share:.2f}"


def apart(a: Measured, b: Measured) -> Measured:
    """`a` less `b`, their errors taken to be independent."""
    return Measured(a.value - b.value, math.hypot(a.error, b.error))


def doubt(gap: Measured) -> str:
    """Said after a difference that is not twice its standard error; nothing where it is exact."""
    return " (may be chance)" if 0 < abs(gap.value) < 2 * gap.error else ""


def amount_text(objective: ObjectiveInfo, found: Measured) -> str:
    """How much better, or worse below 0, and whether that may be chance."""
    unit = "points" if objective.unit == "%" else objective.unit
    amount = measured(Measured(abs(found.value), found.error), unit)
    if amount.startswith("0 \N{PLUS-MINUS SIGN}"):
        return f"as good in {label(objective)} ({amount[2:]})"
    side = "better" if found.value > 0 else "worse"
    return f"{amount} {side} in {label(objective)}{doubt(found)}"


def label(objective: ObjectiveInfo) -> str:
    """The label of an objective within a sentence."""
    words = objective.label
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def objective_text(trial: TrialRecord, objective: ObjectiveInfo) -> str:
    """Value, standard error and unit, such as `89.2 ± 0.4 %`."""
    return measured(value_of(trial, objective), objective.unit)


def predicted(trials: Sequence[TrialRecord], objective: ObjectiveInfo) -> str:
    """Said of memory where none of the trials was measured; nothing of other objectives."""
    measured_one = any("memory_measured" in trial.measurements for trial in trials)
    return " (predicted)" if objective.name == MEMORY and not measured_one else ""


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


def train_command(study: str, number: int) -> str:
    """The command that writes the script that trains a trial again, and runs it."""
    folder = f"train-{number}"
    export = f"autopeft export {quoted(study)} {number} --to train -o {folder}"
    return f"{export} && python {folder}/train.py"


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


def figure_html(name: str, sentence: str) -> str:
    """The place of a figure, with the sentence that stands for it where it cannot be seen."""
    words = escape(sentence)
    return (
        f'<div class="figure" id="{name}" role="figure" aria-label="{words}"></div>\n<p>{words}</p>'
        '<noscript><p class="muted">The figure needs JavaScript.</p></noscript>'
    )


def quoted(text: str) -> str:
    """The text as one word of a command."""
    return shlex.quote(text)
