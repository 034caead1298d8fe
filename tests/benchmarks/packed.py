"""Packed training against HF peft one at a time, side by side in one run.

    python tests/benchmarks/packed.py [--width 8] [--steps 6] [--output FILE]

Both sides train the same LoRA configurations from the same initial weights on the same tokens with
AdamW. Rounds alternate between the sides, and the medians are compared. Printed per shape: ms per
configuration and step of peft alone, of one pack of all, of the width that the planner chooses
and of packs of one, the ratios, and the largest difference between the losses.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from autopeft import catalog, checkpoint
from autopeft.discovery import discover
from autopeft.training.pack import Job, Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.training.planner import Planner
from autopeft.types import Backbone, Configuration, Placement

CLASSES = 8
RANKS = (1, 2, 4, 8, 16)
RATE = 1e-3


@dataclass(frozen=True)
class Case:
    """One comparison."""

    rows: int
    tokens: int
    lowest: int
    """First adapted layer."""
    label: str


@dataclass
class Bench:
    """A frozen model, its jobs, and one batch."""

    model: Any
    backbone: Backbone
    head: Sequence[str]
    jobs: list[Job]
    batch: dict[str, torch.Tensor]
    labels: torch.Tensor

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def configurations(backbone: Backbone, lowest: int, count: int) -> list[Job]:
    """LoRA with a rank per site drawn from RANKS, some sites off."""
    rng = random.Random(0)
    jobs = []
    for seed in range(count):
        placed = []
        for site in backbone.sites:
            rank = rng.choice((0, *RANKS))
            if site.kind == "linear" and site.layer >= lowest and rank:
                placed.append(Placement(site.name, "lora", {"rank": rank, "scaling": 2.0}))
        jobs.append(Job(Configuration(tuple(placed), RATE), seed))
    return jobs


def losses_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of each configuration [K]."""
    return catalog.tasks.load("text_classification").loss(logits, labels)


def packed_runner(bench: Bench, jobs: list[Job]) -> tuple[Pack, Callable[[], torch.Tensor]]:
    """A function that runs one step of all jobs in one pack and gives their losses."""
    pack = Pack(bench.model, bench.backbone, jobs, modules=catalog.modules.all(), head=bench.head)
    rates = torch.full((len(jobs),), RATE, device=bench.device)
    optimiser = PackedAdamW(list(pack.parameters()), rates, weight_decay=0.0, clip=0.0)

    def step() -> torch.Tensor:
        with pack.attached(bench.model):
            loss = losses_of(pack.logits(bench.model, bench.batch), bench.labels)
            loss.sum().backward()
            optimiser.step()
        return loss.detach()

    return pack, step


def peft_runner(bench: Bench, job: Job) -> Callable[[], torch.Tensor]:
    """A function that runs one step of one job with HF peft, from the pack's initial weights."""
    pack, _ = packed_runner(bench, [job])
    ranks = {
        "^" + bench.backbone.site(p.site).path.replace(".", r"\."): int(p.settings["rank"])
        for p in job.configuration.placements
    }
    config = peft.LoraConfig(
        r=8,
        lora_alpha=16,
        target_modules=[bench.backbone.site(p.site).path for p in job.configuration.placements],
        rank_pattern=ranks,
        alpha_pattern={name: 2 * rank for name, rank in ranks.items()},
        modules_to_save=list(bench.head),
    )
    model: Any = peft.get_peft_model(deepcopy(bench.model), config)
    initial = pack.export(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            for placement in job.configuration.placements:
                path = bench.backbone.site(placement.site).path
                if f"{path}.lora_A" in name:
                    parameter.copy_(initial[f"{placement.site}:lora:A"])
            for path in bench.head:
                for kind in ("weight", "bias"):
                    if f"{path}.modules_to_save.default.{kind}" in name:
                        parameter.copy_(initial[f"head:{path}.{kind}"])
    model.eval()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = losses_of(model(**bench.batch).logits[None], bench.labels)
        loss.sum().backward()
        optimiser.step()
        return loss.detach()

    return step


def timed(bench: Bench, step: Callable[[], torch.Tensor], steps: int) -> tuple[float, torch.Tensor]:
    """Seconds per step, and the losses of each step."""
    bench.wait()
    started = time.perf_counter()
    losses = torch.stack([step() for _ in range(steps)])
    bench.wait()
    return (time.perf_counter() - started) / steps, losses


def planned_width(bench: Bench, width: int) -> int:
    """The width that the planner chooses for this load."""
    steps: dict[int, Callable[[], torch.Tensor]] = {}

    def run(entry: int, count: int) -> None:
        if count not in steps:
            steps[count] = packed_runner(bench, bench.jobs[:count])[1]
        steps[count]()
        bench.wait()

    return Planner(run, largest=width).width(0)


def compare(bench: Bench, steps: int, rounds: int) -> dict[str, float]:
    """Times of both sides, in turn."""
    width = len(bench.jobs)
    chosen = planned_width(bench, width)
    sides = {
        "peft": [peft_runner(bench, job) for job in bench.jobs],
        "packed": [packed_runner(bench, bench.jobs)[1]],
        "planned": [
            packed_runner(bench, bench.jobs[i : i + chosen])[1] for i in range(0, width, chosen)
        ],
        "single": [packed_runner(bench, [job])[1] for job in bench.jobs],
    }
    first = {name: [step() for step in runners] for name, runners in sides.items()}
    difference = (torch.cat(first["peft"]) - torch.cat(first["packed"])).abs().max().item()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, runners in sides.items():
            seconds[name].append(sum(timed(bench, step, steps)[0] for step in runners) / width)
    last = [torch.cat([step() for step in sides[name]]) for name in ("peft", "packed")]
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        **{f"{name}_ms": 1000 * value for name, value in median.items()},
        "planned_width": chosen,
        "ratio_packed": median["peft"] / median["packed"],
        "ratio_planned": median["peft"] / median["planned"],
        "ratio_planned_single": median["single"] / median["planned"],
        "first_loss_difference": difference,
        "last_loss_difference": (last[0] - last[1]).abs().max().item(),
        "steps_compared": 2 + steps * rounds,
    }


def main() -> None:
    """Run every case and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded = checkpoint.load(
        "", architecture="AutoModelForSequenceClassification", outputs=CLASSES, device=device
    )
    backbone = discover(loaded.model, catalog.backbones.all(), name=loaded.name)
    results = []
    for rows, tokens in ((4, 32), (16, 32)):
        for lowest, label in ((0, "all layers"), (4, "top two layers")):
            case = Case(rows, tokens, lowest, label)
            generator = torch.Generator().manual_seed(0)
            ids = torch.randint(1000, 20_000, (rows, tokens), generator=generator).to(device)
            bench = Bench(
                loaded.model,
                backbone,
                loaded.head,
                configurations(backbone, lowest, options.width),
                {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
                torch.randint(0, CLASSES, (rows,), generator=generator).to(device),
            )
            found = compare(bench, options.steps, options.rounds)
            results.append({**asdict(case), **found})
            print(
                f"{rows:3d} x {tokens} {label:15s} K={options.width}"
                f"  peft {found['peft_ms']:7.1f} ms  packed {found['packed_ms']:7.1f} ms"
                f" ({found['ratio_packed']:.2f}x)  planned K={found['planned_width']}"
                f" {found['planned_ms']:7.1f} ms ({found['ratio_planned']:.2f}x, against packs of"
                f" one {found['ratio_planned_single']:.2f}x)  loss difference"
                f" {found['first_loss_difference']:.1e}, {found['last_loss_difference']:.1e}",
                flush=True,
            )
    about = {
        "model": loaded.name,
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor(),
        "threads": torch.get_num_threads(),
        "dtype": loaded.dtype,
        "versions": {m.__name__: m.__version__ for m in (torch, transformers, peft)},
        "width": options.width,
    }
    text = json.dumps({"about": about, "cases": results}, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
