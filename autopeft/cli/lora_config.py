"""A LoRA configuration as Python source for peft."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from autopeft import catalog
from autopeft.errors import ExportError
from autopeft.types import Placement, Results, TrialRecord

TASKS = {"text_classification": "SEQ_CLS", "text_regression": "SEQ_CLS"}


def python_text(results: Results, trial: TrialRecord) -> str:
    """Source that builds a `LoraConfig` with a rank and an alpha for every site.

    Raises:
        ExportError: a module is not LoRA, or there is none.
    """
    placements = trial.configuration.placements
    hint = "`--format json` prints every configuration"
    for other in (p for p in placements if p.module != "lora"):
        if catalog.modules.load(other.module).as_lora is not None:
            study = shlex.quote(results.study)
            hint = f"`autopeft export {study} {trial.number} --to peft` writes the LoRA it became"
        message = f"a `LoraConfig` holds LoRA only; trial {trial.number} has `{other.module}`"
        raise ExportError(f"{message} at {other.site}", hint=hint)
    if not placements:
        raise ExportError(f"trial {trial.number} trains the head alone: no LoRA in it", hint=hint)
    return _source(results, trial, list(placements))


def _source(results: Results, trial: TrialRecord, placements: list[Placement]) -> str:
    paths = {p.site: results.backbone.site(p.site).path for p in placements}
    ranks = {paths[p.site]: int(p.settings["rank"]) for p in placements}
    alphas = {
        paths[p.site]: _tidy(float(p.settings["scaling"]) * int(p.settings["rank"]))
        for p in placements
    }
    rank, alpha = (Counter(d.values()).most_common(1)[0][0] for d in (ranks, alphas))
    arguments: dict[str, Any] = {
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": list(ranks),
        "rank_pattern": {path: r for path, r in ranks.items() if r != rank},
        "alpha_pattern": {path: a for path, a in alphas.items() if a != alpha},
        "task_type": TASKS.get(str(results.info.get("task")), "SEQ_CLS"),
    }
    lines = [f"    {name}={_literal(value)}," for name, value in arguments.items() if value]
    return "\n".join(
        [
            f"# Trial {trial.number}; learning rate {trial.configuration.learning_rate:g}",
            "from peft import LoraConfig",
            "",
            "config = LoraConfig(",
            *lines,
            ")",
        ]
    )


def _tidy(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _literal(value: Any) -> str:
    """Python source, one entry a line for a list or a dictionary."""
    if isinstance(value, dict):
        inner = "".join(f"        {key!r}: {entry!r},\n" for key, entry in value.items())
        return f"{{\n{inner}    }}"
    if isinstance(value, list):
        inner = "".join(f"        {entry!r},\n" for entry in value)
        return f"[\n{inner}    ]"
    return repr(value)
