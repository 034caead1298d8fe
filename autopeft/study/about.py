"""What a study is about, as the plain data that its journal carries and a report prints."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

from autopeft.errors import StudyError
from autopeft.settings import Settings
from autopeft.space.space import Space
from autopeft.types import Backbone, Direction, Objective, ObjectiveInfo, Site

if TYPE_CHECKING:
    from autopeft.workbench import Workbench

PACKAGES = ("autopeft", "torch", "transformers", "peft", "optuna", "botorch")


def describe(
    bench: Workbench, space: Space, objectives: Mapping[str, Objective], *, batch: int
) -> dict[str, Any]:
    """Everything that decides a study's results, and how they were measured."""
    data, evaluator = bench.data, bench.evaluator
    return {
        "settings": bench.settings.protocol(),
        "model": bench.checkpoint.name,
        "dataset": data.name,
        "task": data.task,
        "classes": list(data.classes),
        "metric": evaluator.metric,
        "space": space.name,
        "space_size": space.size,
        "space_dimensions": len(space.dimensions),
        "learning_rates": _ends(space),
        "budget_percent": bench.settings.budget,
        "memory_limit": bench.settings.memory,
        "splits": {
            "search-train": len(data.train),
            "search-validation": len(data.validation),
            "report": len(data.report),
        },
        "notes": [*data.notes, *space.notes],
        "protocol": {**asdict(evaluator.protocol), "optimiser": "AdamW", "dropout": 0.0},
        "memory_shape": {
            "rows": evaluator.memory.target.rows,
            "tokens": evaluator.memory.target.length,
            "precision": evaluator.memory.target.precision,
            "checkpointing": evaluator.memory.target.checkpointing,
            "how": "measured" if evaluator.measures_memory else "predicted",
        },
        "seeds": list(evaluator.seeds),
        "batch": batch,
        "device": device_name(bench.checkpoint.device),
        "dtype": bench.checkpoint.dtype,
        "versions": {"python": platform.python_version(), **versions()},
        "digests": {"space": space.digest, "data": data.digest, "model": bench.checkpoint.digest},
        "objectives": {name: _info(piece) for name, piece in objectives.items()},
        "backbone": asdict(bench.backbone),
    }


def _ends(space: Space) -> list[float]:
    """Lowest and highest learning rate."""
    rates = [float(rate) for rate in space.dimensions[space.learning_rate].values]
    return [min(rates), max(rates)]


def _info(objective: Objective) -> dict[str, str]:
    return {"label": objective.label, "unit": objective.unit, "direction": objective.direction}


def device_name(device: Any) -> str:
    """The device in words, such as `cpu, 2 threads` or the name of the GPU."""
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{device.type}, {torch.get_num_threads()} threads"


def versions() -> dict[str, str]:
    """Installed versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def check(about: Mapping[str, Any], settings: Settings, study: str) -> None:
    """Whether a study may go on under these settings.

    Raises:
        StudyError: an option differs from what the study began with; names it.
    """
    before, now = {**Settings().protocol(), **about["settings"]}, settings.protocol()
    for name, value in now.items():
        if before.get(name) != value:
            option = f"--{name.replace('_', '-')}"
            message = f"`{study}` was begun with {option} `{before.get(name)}`, not `{value}`"
            hint = "name another study with `--study`, or repeat the options it was begun with"
            raise StudyError(message, hint=hint)


def check_digests(about: Mapping[str, Any], now: Mapping[str, str], study: str) -> None:
    """Whether space, data and model are still what the study began with.

    Raises:
        StudyError: one of them changed; names it.
    """
    for name, value in now.items():
        before = about["digests"].get(name)
        if before != value:
            message = f"the {name} has changed since `{study}` began (digest {before}, now {value})"
            hint = "begin a new study with `--study`; this one is left as it is"
            raise StudyError(message, hint=hint)


def backbone(about: Mapping[str, Any]) -> Backbone:
    """The backbone, as stored."""
    stored = dict(about["backbone"])
    stored["layers"] = tuple(stored["layers"])
    stored["sites"] = tuple(Site(**site) for site in stored["sites"])
    return Backbone(**stored)


def objectives(about: Mapping[str, Any]) -> tuple[ObjectiveInfo, ...]:
    """The objectives, as stored."""
    return tuple(
        ObjectiveInfo(name, info["label"], info["unit"], _direction(info["direction"]))
        for name, info in about["objectives"].items()
    )


def _direction(text: str) -> Direction:
    return "maximize" if text == "maximize" else "minimize"
