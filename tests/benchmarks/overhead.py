"""What a trial costs beside its training: asking for it, attaching it, detaching it.

    python -m tests.benchmarks.overhead [--rounds 5] [--trials 24] [--output FILE]

Attach and detach on MiniLM, LoRA r=8 on all linears, ours (hooks on one frozen base) against HF
peft (modules swapped in and `unload`ed), in turn in one run; making the weights is counted apart.
Ask: one suggestion after `--trials` finished trials of a toy surface, ours against Optuna's own TPE
and GP samplers on the same dimensions. Medians of process seconds, so that other work on the
machine counts little.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import peft
import torch
import transformers

from autopeft import catalog, checkpoint
from autopeft.optimiser.designed import distributions
from autopeft.sites.discovery import discover
from autopeft.training.pack import Job, Pack
from autopeft.types import Backbone, Configuration, Placement
from tests import toy_problem

RANK = 8
OURS = ("gp", "random")
THEIRS: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
    "optuna TPE": lambda: optuna.samplers.TPESampler(seed=0),
    "optuna GP": lambda: optuna.samplers.GPSampler(seed=0),
}


def seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Process seconds of an action, and what it gave."""
    started = time.process_time()
    result = action()
    return time.process_time() - started, result


def ours(loaded: checkpoint.Checkpoint, backbone: Backbone) -> dict[str, float]:
    """One pack of one: weights made, attached, detached."""
    settings = {**catalog.modules.load("lora").defaults, "rank": RANK}
    sites = [s for s in backbone.sites if s.kind == "linear"]
    placed = tuple(Placement(s.name, "lora", settings) for s in sites)
    jobs = [Job(Configuration(placed, 1e-3), 0)]
    given: dict[str, Any] = {"modules": catalog.modules.all(), "head": loaded.head}
    made, pack = seconds(lambda: Pack(loaded.model, backbone, jobs, **given))
    context = pack.attached(loaded.model)
    attach, _ = seconds(context.__enter__)
    detach, _ = seconds(lambda: context.__exit__(None, None, None))
    return {"make": made, "attach": attach, "detach": detach}


def theirs(loaded: checkpoint.Checkpoint, backbone: Backbone) -> dict[str, float]:
    """The same with HF peft, which makes the weights while it attaches."""
    paths = [s.path for s in backbone.sites if s.kind == "linear"]
    config = peft.LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=paths)
    attach, wrapped = seconds(lambda: peft.get_peft_model(loaded.model, config))
    detach, _ = seconds(wrapped.unload)
    loaded.model.requires_grad_(False)
    return {"attach": attach, "detach": detach}


def attaching(rounds: int) -> dict[str, Any]:
    """Medians of both sides, in turn, and their ratio."""
    loaded = checkpoint.load("", architecture="AutoModelForSequenceClassification", outputs=3)
    backbone = discover(loaded.model, catalog.backbones.all(), name=loaded.name)
    runs = [(ours(loaded, backbone), theirs(loaded, backbone)) for _ in range(rounds + 1)][1:]
    mine, other = (
        {name: statistics.median(run[side][name] for run in runs) for name in runs[0][side]}
        for side in (0, 1)
    )
    ratio = (other["attach"] + other["detach"]) / sum(mine.values())
    return {"ours": mine, "peft": other, "ratio": ratio}


def asking(rounds: int, trials: int) -> dict[str, float]:
    """Median seconds of one suggestion by sampler."""
    space = toy_problem.expanded(toy_problem.RANKS, layers=6)
    problem = toy_problem.problem(space, limit=600.0)
    done = toy_problem.searched("random", problem, trials)
    found = {}
    for name in OURS:
        asks = [seconds(lambda n=name: _again(done, problem, n))[0] for _ in range(rounds)]  # type: ignore[misc]
        found[f"ours {name}"] = statistics.median(asks)
    for name, sampler in THEIRS.items():
        asks = [seconds(lambda s=sampler: _theirs(done, problem, s()))[0] for _ in range(rounds)]  # type: ignore[misc]
        found[name] = statistics.median(asks)
    return found


def _copy(done: optuna.Study) -> optuna.Study:
    study = optuna.create_study(directions=done.directions)
    study.add_trials(done.get_trials(deepcopy=False))
    return study


def _again(done: optuna.Study, problem: Any, sampler: str) -> None:
    toy_problem.asked(_copy(done), sampler, problem)


def _theirs(done: optuna.Study, problem: Any, sampler: optuna.samplers.BaseSampler) -> None:
    study = _copy(done)
    study.sampler = sampler
    trial = study.ask()
    for name, distribution in distributions(problem.space).items():
        trial._suggest(name, distribution)


def main() -> None:
    """Run both parts and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    attached = attaching(options.rounds)
    for side in ("ours", "peft"):
        parts = "  ".join(f"{name} {1000 * t:.1f} ms" for name, t in attached[side].items())
        print(f"{side:10s} {parts}", flush=True)
    print(f"peft / ours, all together: {attached['ratio']:.1f}x", flush=True)
    asked = asking(options.rounds, options.trials)
    for name, value in asked.items():
        print(f"ask {name:12s} {value:.3f} s after {options.trials} trials", flush=True)
    about = {
        "device": f"{os.cpu_count()} CPU cores",
        "threads": torch.get_num_threads(),
        "clock": "process seconds",
        "versions": {m.__name__: m.__version__ for m in (torch, transformers, peft, optuna)},
    }
    text = json.dumps({"about": about, "attach": attached, "ask_seconds": asked}, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
