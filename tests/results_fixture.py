"""A study as it comes out of a search: 40 trials with everything that goes wrong."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from autopeft import digest, pareto
from autopeft.types import (
    Backbone,
    Configuration,
    Measured,
    ObjectiveInfo,
    Placement,
    Results,
    Site,
    TrialRecord,
)

HOSTILE = '</script><b>&"'
WIDTH, LAYERS, FROZEN = 384, 6, 22_565_376
WIDTHS = {
    "attention.query": (WIDTH, WIDTH),
    "attention.key": (WIDTH, WIDTH),
    "attention.value": (WIDTH, WIDTH),
    "attention.output": (WIDTH, WIDTH),
    "mlp.up": (WIDTH, 4 * WIDTH),
    "mlp.down": (4 * WIDTH, WIDTH),
}
OBJECTIVES = (
    ObjectiveInfo("accuracy", "accuracy", "%", "maximize"),
    ObjectiveInfo("trainable_parameters", "trainable parameters", "%", "minimize"),
    ObjectiveInfo("peak_memory", "peak memory", "B", "minimize"),
)
INFO: dict[str, Any] = {
    "model": "sentence-transformers/all-MiniLM-L6-v2",
    "dataset": f"reviews {HOSTILE}.csv",
    "task": "text_classification",
    "space": "autopeft",
    "budget_percent": 2.0,
    "metric": "accuracy",
    "rows": 408,
    "seeds": [0, 1, 2],
    "splits": {"train": 3301, "validation": 408, "report": 408},
    "protocol": {"steps": 400, "batch": 32, "length": 64, "dtype": "float32"},
    "device": "cuda:0, 24 GB",
    "versions": {"autopeft": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"},
    "command": f"autopeft search --study a.journal --dataset 'reviews {HOSTILE}.csv' --budget 2%",
    "digests": {"data": "3f9c1b2a77d0", "base": "a17b00c4e5f6", "space": "09be7716ad33"},
    "proxy_correlation": {"value": 0.71, "low": 0.55, "high": 0.83, "trials": 38, "share": 0.5},
    "settings": {"sampler": "gp"},
    "importance": {"spt": {"method": "spt", "site": {}, "provenance": {}, "detail": {}}},
    "health": [
        "The front still grew in the last 10 trials: more trials may find better ones.",
        f"Column `{HOSTILE}` was dropped.",
    ],
}


INFO["importance"]["spt"]["site"] = {
    f"{layer}.{role}": float((1 + layer) * len(role)) for layer in range(LAYERS) for role in WIDTHS
}


def backbone() -> Backbone:
    """A 6-layer encoder with six linears per layer."""
    sites = tuple(
        Site(layer, role, "linear", f"encoder.layer.{layer}.{role}", *WIDTHS[role])
        for layer in range(LAYERS)
        for role in WIDTHS
    )
    layers = tuple(f"encoder.layer.{layer}" for layer in range(LAYERS))
    return Backbone("all-MiniLM-L6-v2", "bert", layers, sites, WIDTH, FROZEN, 1538)


def lora(layers: range, roles: tuple[str, ...], ranks: tuple[int, ...]) -> list[Placement]:
    """LoRA on these roles; the ranks are dealt to the layers in turn."""
    return [
        Placement(f"{layer}.{role}", "lora", {"rank": ranks[layer % len(ranks)], "scaling": 2.0})
        for layer in layers
        for role in roles
    ]


def parameters(placements: list[Placement]) -> int:
    """Trained weights: r (in + out) for LoRA, 2 b d + b + d for an adapter."""
    total = 0
    for placement in placements:
        if placement.module == "lora":
            size = WIDTHS[placement.site.split(".", 1)[1]]
            total += int(placement.settings["rank"]) * sum(size)
        else:
            bottleneck = int(placement.settings["bottleneck"])
            total += 2 * bottleneck * WIDTH + bottleneck + WIDTH
    return total


def measured_trial(number: int, placements: list[Placement], origin: str) -> TrialRecord:
    """A finished trial: accuracy saturates with parameters, memory grows with depth."""
    draw = random.Random(number)
    trained = parameters(placements)
    lowest = min((int(p.site.split(".")[0]) for p in placements), default=LAYERS)
    accuracy = 91 - 9 / (1 + trained / 20_000) + draw.gauss(0, 0.5)
    memory = 4.1e8 + 2.4e8 * (LAYERS - lowest) + 40.0 * trained
    configuration = Configuration(tuple(placements), draw.choice((1e-4, 3e-4, 1e-3)))
    share = 100 * trained / FROZEN
    return TrialRecord(
        number=number,
        state="complete",
        origin=origin,
        configuration=configuration,
        objectives={
            "accuracy": Measured(accuracy, draw.uniform(0.2, 0.6)),
            "trainable_parameters": Measured(share),
            "peak_memory": Measured(memory, 2e6),
        },
        feasible=share <= INFO["budget_percent"],
        point={}
        if origin.startswith("baseline")
        else {"first_layer": lowest, "wide": trained > 1e5},
        measurements={
            "score": Measured(accuracy / 100, 0.004),
            "trainable": Measured(trained),
            "head": Measured(1538),
            "memory_predicted": Measured(1.02 * memory),
            "memory_measured": Measured(memory, 2e6),
            "seconds": Measured(3.0 + (LAYERS - lowest)),
        },
        provenance={
            "seeds": [0, 1, 2],
            "rows": 408,
            "split": "validation",
            "curve": [
                {"step": 200, "train_loss": 0.6, "score": accuracy / 100 - draw.uniform(0, 0.1)},
                {"step": 400, "train_loss": 0.4, "score": accuracy / 100},
            ],
        },
        digest=digest.of_configuration(configuration),
    )


def failed_trial(number: int) -> TrialRecord:
    """A trial that diverged."""
    return dataclasses.replace(
        measured_trial(number, lora(range(LAYERS), ("mlp.up",), (64,)), "model"),
        state="failed",
        objectives={},
        feasible=False,
        message=f"The loss became NaN at step 40 of {HOSTILE}.",
    )


def searched_placements(number: int) -> list[Placement]:
    """LoRA of some ranks in the upper layers, on every third trial with adapters below."""
    draw = random.Random(1000 + number)
    first = draw.randrange(LAYERS)
    roles = tuple(draw.sample(sorted(WIDTHS), draw.randint(1, len(WIDTHS))))
    ranks = tuple(draw.choice((1, 2, 4, 8, 16)) for _ in range(draw.choice((1, 3))))
    placements = lora(range(first, LAYERS), roles, ranks)
    if number % 3 == 0:
        size = {"bottleneck": draw.choice((6, 12, 24))}
        placements += [Placement(f"{n}.mlp", "serial_adapter", size) for n in range(first, LAYERS)]
    return placements


def trials() -> tuple[TrialRecord, ...]:
    """Three baselines, 34 searched ones, one over the budget, one failed, one running."""
    attention = ("attention.query", "attention.value")
    found = [
        measured_trial(0, lora(range(LAYERS), attention, (8,)), "baseline: LoRA r=8 on q,v"),
        measured_trial(1, lora(range(LAYERS), tuple(WIDTHS), (8,)), "baseline: LoRA r=8, all"),
        measured_trial(2, [], f"baseline: {HOSTILE}"),
    ]
    found += [measured_trial(n, searched_placements(n), "model") for n in range(3, 37)]
    found.append(measured_trial(37, lora(range(LAYERS), tuple(WIDTHS), (32,)), "initial"))
    found.append(failed_trial(38))
    running = measured_trial(39, searched_placements(39), "model")
    found.append(dataclasses.replace(running, state="running", objectives={}))
    return tuple(found)


def make() -> Results:
    """The whole study."""
    return of_trials(trials())


def of_trials(records: tuple[TrialRecord, ...], **info: Any) -> Results:
    """A study of these trials, with its front worked out."""
    able = [r for r in records if r.state == "complete" and r.feasible]
    directions = [objective.direction for objective in OBJECTIVES]
    rows = [[r.objectives[o.name].value for o in OBJECTIVES] for r in able]
    best = [able[i] for i in pareto.front(rows, directions)]
    best.sort(key=lambda record: record.objectives["trainable_parameters"].value)
    front = tuple(record.number for record in best)
    study = f"studies/{HOSTILE}.journal"
    return Results(study, OBJECTIVES, records, front, backbone(), INFO | info)
