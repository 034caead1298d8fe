"""Allocators of ranks against uniform LoRA and a search, on real tasks under one protocol.

    python -m tests.benchmarks.allocators [--task trec] [--budget 0.1 --budget 0.3]
        [--method spt --method ist] [--module adalora] [--seeds 3] [--steps 50] [--length 64]
        [--study trec=STUDY] [--output FILE]

Every method scores the sites once, on search-train, and its own allocator places LoRA within each
budget. Everything is then trained from the same seeds with the same learning rate and data order
and scored on the report split, which nothing was chosen by. Methods that move ranks while they
train hold twice the uniform rank and ship what the budget allows. Beside them: the same rank on
query and value, the same rank on every linear, the head alone, and the configuration that a
finished study recommends, with its own learning rate. What the output file holds is not trained
again. Printed: score with its standard error over rows and seeds, parameters while training and as
shipped, predicted memory, and the CPU seconds of scoring and of training.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autopeft import allocation, budget, catalog, workbench
from autopeft.baselines import baselines
from autopeft.evaluate import Evaluator
from autopeft.scoring import site_scores
from autopeft.settings import Settings
from autopeft.study import results
from autopeft.study.recommendation import recommended
from autopeft.types import Configuration, Placement, Scores
from autopeft.workbench import Workbench

DATA = Path(__file__).parents[3] / "shared" / "data"
TASKS = ("rte", "mrpc", "trec", "boolq")
METHODS = ("spt", "fisher", "ist", "diffora", "dylora", "adalora", "eva", "light_peft")
MODULES = ("adalora", "increlora", "triadapt", "dsl")
"""Module types that move ranks while they train."""
RATE = 3e-3
PACK = 8


@dataclass(frozen=True)
class Arm:
    """One configuration to compare."""

    name: str
    percent: float
    """Of the budget; 0 where it has none."""
    configuration: Configuration
    seconds: float
    """CPU seconds of scoring the sites."""


def arms(bench: Workbench, options: argparse.Namespace, study: Path | None) -> Iterator[Arm]:
    """What is trained: head, uniform LoRA, allocations, and what a study found."""
    scored = {}
    for method in METHODS if options.method is None else options.method:
        begun = time.process_time()
        scored[method] = site_scores.score_sites(bench, method), begun, time.process_time()
    yield Arm("head only", 0.0, Configuration((), RATE), 0.0)
    for percent in options.budget or (0.1, 0.3):
        limit = int(percent / 100 * bench.backbone.parameters)
        defaults = baselines(bench.backbone, bench.modules, limit=limit)
        label = next(d for d in defaults if d.label.endswith("on q,v"))
        yield Arm(label.label, percent, label.configuration, 0.0)
        uniform = _allocated("uniform", Scores("spt", {}, {}), bench, percent, {"by": "uniform"})
        yield uniform
        yield from _moving(bench, uniform, options)
        for method, (scores, begun, done) in scored.items():
            arm = _allocated(method, scores, bench, percent, {})
            yield dataclasses.replace(arm, seconds=done - begun)
    if study is not None:
        found = results.snapshot(study)
        trial = recommended(found)
        assert trial is not None
        yield Arm("search", float(found.info["budget_percent"]), trial.configuration, 0.0)


def _moving(bench: Workbench, uniform: Arm, options: argparse.Namespace) -> Iterator[Arm]:
    """Methods that move ranks in training, from twice the uniform rank to the uniform one."""
    placed = uniform.configuration.placements
    if any(p.settings["rank"] != placed[0].settings["rank"] for p in placed):
        return
    for name in MODULES if options.module is None else options.module:
        settings = {**bench.modules[name].defaults, "rank": 2 * int(placed[0].settings["rank"])}
        held = tuple(Placement(p.site, name, {**settings, "live": 0.5}) for p in placed)
        label = f"{name} in training"
        yield Arm(label, uniform.percent, Configuration(held, RATE), 0.0)


def _allocated(
    name: str, scores: Scores, bench: Workbench, percent: float, settings: dict[str, Any]
) -> Arm:
    limit = int(percent / 100 * bench.backbone.parameters)
    placed = allocation.allocate([scores], bench.backbone, limit, settings)
    return Arm(name, percent, Configuration(placed, RATE), 0.0)


def train(
    bench: Workbench, compared: Sequence[Arm], seeds: int
) -> tuple[dict[int, list[Any]], list[float]]:
    """Predictions of every arm and seed on the report split, and CPU seconds of one training."""
    split = bench.split(bench.data.report, "report")
    found: dict[int, list[Any]] = {index: [] for index in range(len(compared))}
    seconds = [0.0] * len(compared)
    for seed in range(seeds):
        own = bench.evaluator
        protocol = dataclasses.replace(own.protocol, seed=seed, rungs=(1.0,))
        evaluator: Evaluator = dataclasses.replace(
            own, seeds=(seed,), protocol=protocol, splits=(own.splits[0], split)
        )
        for start in range(0, len(compared), PACK):
            pack = range(start, min(start + PACK, len(compared)))
            begun = time.process_time()
            done = evaluator.evaluate([compared[i].configuration for i in pack])
            spent = (time.process_time() - begun) / len(pack)
            for index, evaluation in zip(pack, done, strict=True):
                seconds[index] += spent / seeds
                found[index].append(evaluation.outcome.provenance.get("predictions"))
    return found, seconds


def rows(
    bench: Workbench, task: str, compared: Sequence[Arm], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """One row per arm."""
    predictions, seconds = train(bench, compared, options.seeds)
    metric = bench.task.metrics[bench.evaluator.metric]
    labels = bench.split(bench.data.report, "report").labels.numpy()
    for index, arm in enumerate(compared):
        ended = [np.asarray(p) for p in predictions[index] if p is not None]
        values = [metric.value(p, labels) for p in ended]
        examples = statistics.fmean(metric.error(p, labels) for p in ended) if ended else np.nan
        spread = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        before = bench.evaluator.before_training(arm.configuration).measurements
        memory = before.get("memory_predicted")
        count = budget.count(arm.configuration, bench.backbone, bench.modules)
        yield {
            "task": task,
            "arm": arm.name,
            "budget_percent": arm.percent,
            "score": statistics.fmean(values) if values else None,
            "error": (examples**2 + spread**2) ** 0.5,
            "seed_error": spread,
            "seeds": len(values),
            "resident": count.parameters,
            "shipped": count.published,
            "memory": None if memory is None else memory.value,
            "scoring_seconds": arm.seconds,
            "training_seconds": seconds[index],
        }


def compare(
    task: str, options: argparse.Namespace, known: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Every arm on one task that is not known yet."""
    study = dict(pair.split("=", 1) for pair in options.study or ()).get(task)
    settings = Settings(
        dataset=str(options.data / task),
        steps=options.steps,
        length=options.length,
        pack=PACK,
        objectives=("accuracy", "trainable_parameters"),
        offline=True,
    )
    bench = workbench.build(settings)
    done = {(row["task"], row["arm"], row["budget_percent"]) for row in known}
    found = arms(bench, options, Path(study) if study else None)
    compared = [arm for arm in found if (task, arm.name, arm.percent) not in done]
    return list(rows(bench, task, compared, options))


def text(row: dict[str, Any]) -> str:
    """One line."""
    memory = "" if row["memory"] is None else f"{row['memory'] / 1e6:.0f} MB, "
    score = "diverged" if row["score"] is None else f"{100 * row['score']:5.1f}"
    return (
        f"{row['task']:6s} {row['budget_percent']:4.1f} %  {row['arm']:20s} {score} "
        f"+- {100 * row['error']:.1f}  {row['resident']:7,} while training, {row['shipped']:7,} "
        f"shipped, {memory}{row['scoring_seconds']:.0f} + {row['training_seconds']:.0f} s CPU"
    )


def main() -> None:
    """Run the comparison, print a line per arm, write the JSON (`allocation_plot.py` draws it)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--budget", action="append", type=float, help="percent of the backbone")
    parser.add_argument("--method", action="append", help=", ".join(catalog.importance.names()))
    parser.add_argument("--module", action="append", help=", ".join(MODULES))
    parser.add_argument("--study", action="append", help="TASK=PATH of a finished study")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "protocol": {"steps": options.steps, "batch": 16, "length": options.length, "rate": RATE},
        "split": "report",
    }
    found: list[dict[str, Any]] = []
    if options.output and options.output.exists():
        found = json.loads(options.output.read_text())["rows"]
    for task in options.task or TASKS:
        found += compare(task, options, found)
        print("\n".join(text(row) for row in found if row["task"] == task), flush=True)
        if options.output:
            document = json.dumps({"about": about, "rows": found}, indent=1)
            options.output.write_text(document + "\n")


if __name__ == "__main__":
    main()
