"""Packed training against HF peft one at a time, side by side in one run.

    python tests/benchmarks/packed.py [--shape 16x32] [--steps 4] [--rounds 3] [--output FILE]

Every side trains the same LoRA configurations from the same initial weights on the same tokens
with AdamW: HF peft in a plain loop, HF peft in HF Trainer (one configuration), one pack of all, the
packs that the planner chooses, with the trunk's outputs kept as a search keeps them from the second
epoch on, and packs of one. `floor` is the frozen base alone, forward, and backward down to the
lowest adapted layer. All sides have the heap as a search sets it (`training/heap.py`). Rounds
alternate between the sides, and medians are compared. Printed per
shape: ms per configuration and step, ratios, and the largest difference between the losses.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from autopeft import catalog, checkpoint
from autopeft.checkpoint import Checkpoint
from autopeft.sites.discovery import discover
from autopeft.training.batches import Split
from autopeft.training.heap import keep_freed_memory
from autopeft.training.pack import Job, Pack
from autopeft.training.pack_load import load_of
from autopeft.training.pack_timer import timer
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.training.planner import Planner
from autopeft.training.trunk_cache import TrunkCache
from autopeft.types import Backbone, Configuration, Placement

CLASSES = 8
RANKS = (1, 2, 4, 8, 16)
RATE = 1e-3
SHAPES = ("4x32", "16x32", "16x64")


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
    lowest: int
    tokenizer: Any
    cache: TrunkCache

    @property
    def split(self) -> Split:
        """The batch as a split."""
        names = list(self.batch)
        rows = zip(*(self.batch[name].tolist() for name in names), strict=True)
        tokens = tuple(dict(zip(names, row, strict=True)) for row in rows)
        return Split(tokens, self.labels.cpu(), self.tokenizer, self.device, "train")

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


def quickstart(device: str) -> tuple[Checkpoint, Backbone]:
    """The model that is measured."""
    loaded = checkpoint.load(
        "", architecture="AutoModelForSequenceClassification", outputs=CLASSES, device=device
    )
    return loaded, discover(loaded.model, catalog.backbones.all(), name=loaded.name)


def bench_of(loaded: Checkpoint, backbone: Backbone, case: Case, width: int) -> Bench:
    """A case with `width` configurations and random rows."""
    device = loaded.device
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 20_000, (case.rows, case.tokens), generator=generator).to(device)
    return Bench(
        loaded.model,
        backbone,
        loaded.head,
        configurations(backbone, case.lowest, width),
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        torch.randint(0, CLASSES, (case.rows,), generator=generator).to(device),
        case.lowest,
        loaded.tokenizer,
        TrunkCache(10**9, len(backbone.layers)),
    )


def packed_runner(
    bench: Bench, jobs: list[Job], *, kept: bool = False, share_trunk: bool = True
) -> tuple[Pack, Callable[[], torch.Tensor]]:
    """A function that runs one step of all jobs in one pack and gives their losses."""
    pack = Pack(
        bench.model,
        bench.backbone,
        jobs,
        modules=catalog.modules.all(),
        head=bench.head,
        cache=bench.cache if kept else None,
        share_trunk=share_trunk,
    )
    rates = torch.full((len(jobs),), RATE, device=bench.device)
    optimiser = PackedAdamW(list(pack.parameters()), rates, weight_decay=0.0, clip=0.0)
    rows = bench.split.source(list(range(len(bench.labels))))

    def step() -> torch.Tensor:
        with pack.attached(bench.model):
            loss = losses_of(pack.logits(bench.model, bench.batch, rows), bench.labels)
            loss.sum().backward()
            optimiser.step()
        return loss.detach()

    return pack, step


def peft_model(bench: Bench, job: Job) -> Any:
    """HF peft's model of a job, with the pack's initial weights."""
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
    return model


def peft_runner(bench: Bench, job: Job) -> Callable[[], torch.Tensor]:
    """A function that runs one step of one job with HF peft in a plain loop."""
    model = peft_model(bench, job)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = losses_of(model(**bench.batch).logits[None], bench.labels)
        loss.sum().backward()
        optimiser.step()
        return loss.detach()

    return step


def trainer_seconds(bench: Bench, job: Job, steps: int) -> float:
    """Seconds per step of one job with HF peft in HF Trainer, its own clock."""
    rows = [
        {**row, "labels": label}
        for row, label in zip(bench.split.rows, bench.labels.tolist(), strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        options = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=len(rows),
            learning_rate=RATE,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            use_cpu=bench.device.type == "cpu",
        )
        trainer = transformers.Trainer(peft_model(bench, job), options, train_dataset=rows)
        return float(trainer.train().metrics["train_runtime"]) / steps


def floor_runner(bench: Bench) -> Callable[[], torch.Tensor]:
    """A function that runs the frozen base alone, backward down to the lowest adapted layer."""

    def entered(layer: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].detach().requires_grad_(), *args[1:])

    layer = bench.model.get_submodule(bench.backbone.layers[bench.lowest])

    def step() -> torch.Tensor:
        handle = layer.register_forward_pre_hook(entered)
        loss = losses_of(bench.model(**bench.batch).logits[None], bench.labels)
        loss.sum().backward()
        handle.remove()
        return loss.detach()

    return step


def timed(bench: Bench, step: Callable[[], torch.Tensor], steps: int) -> tuple[float, torch.Tensor]:
    """Seconds per step, and the losses of each step."""
    bench.wait()
    started = time.perf_counter()
    losses = torch.stack([step() for _ in range(steps)])
    bench.wait()
    return (time.perf_counter() - started) / steps, losses


def planned_packs(bench: Bench) -> list[list[Job]]:
    """The packs that the planner chooses for these jobs."""
    modules = catalog.modules.all()
    step = timer(
        bench.model,
        partial(Pack, bench.model, bench.backbone, modules=modules, head=bench.head),
        backbone=bench.backbone,
        modules=modules,
        task=catalog.tasks.load("text_classification"),
        split=bench.split,
        rows=len(bench.labels),
    )
    planner = Planner(step, len(bench.backbone.layers), largest=len(bench.jobs))
    loads = [load_of(job.configuration, bench.backbone, modules) for job in bench.jobs]
    return [[bench.jobs[i] for i in pack] for pack in planner.plan(loads)]


def compare(bench: Bench, steps: int, rounds: int) -> dict[str, Any]:
    """Times of every side, in turn."""
    width = len(bench.jobs)
    packs = planned_packs(bench)
    sides = {
        "peft": [peft_runner(bench, job) for job in bench.jobs],
        "packed": [packed_runner(bench, bench.jobs)[1]],
        "planned": [packed_runner(bench, pack, kept=True)[1] for pack in packs],
        "single": [packed_runner(bench, [job])[1] for job in bench.jobs],
        "floor": [floor_runner(bench)] * width,
    }
    first = {name: [step() for step in runners] for name, runners in sides.items()}
    difference = (torch.cat(first["peft"]) - torch.cat(first["packed"])).abs().max().item()
    seconds: dict[str, list[float]] = {name: [] for name in (*sides, "trainer")}
    for _ in range(rounds):
        for name, runners in sides.items():
            seconds[name].append(sum(timed(bench, step, steps)[0] for step in runners) / width)
        seconds["trainer"].append(trainer_seconds(bench, bench.jobs[0], 4 * steps))
    last = [torch.cat([step() for step in sides[name]]) for name in ("peft", "packed")]
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        **{f"{name}_ms": 1000 * value for name, value in median.items()},
        "planned_widths": [len(pack) for pack in packs],
        "ratio_packed": median["peft"] / median["packed"],
        "ratio_planned": median["peft"] / median["planned"],
        "ratio_planned_trainer": median["trainer"] / median["planned"],
        "ratio_planned_single": median["single"] / median["planned"],
        "ratio_planned_floor": median["planned"] / median["floor"],
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
    parser.add_argument("--shape", action="append", help="ROWSxTOKENS; repeat it")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    keep_freed_memory()
    loaded, backbone = quickstart(device)
    results = []
    for shape in options.shape or SHAPES:
        rows, tokens = map(int, shape.split("x"))
        for lowest, label in ((0, "all layers"), (4, "top two layers")):
            case = Case(rows, tokens, lowest, label)
            bench = bench_of(loaded, backbone, case, options.width)
            found = compare(bench, options.steps, options.rounds)
            results.append({**asdict(case), **found})
            print(
                f"{rows:3d} x {tokens} {label:15s} K={options.width}"
                f"  peft {found['peft_ms']:7.1f} ms  packed {found['packed_ms']:7.1f} ms"
                f" ({found['ratio_packed']:.2f}x)  planned {found['planned_widths']}"
                f" {found['planned_ms']:7.1f} ms ({found['ratio_planned']:.2f}x; against Trainer"
                f" {found['ratio_planned_trainer']:.2f}x, packs of one"
                f" {found['ratio_planned_single']:.2f}x; {found['ratio_planned_floor']:.2f} of the"
                f" floor)  loss difference {found['first_loss_difference']:.1e},"
                f" {found['last_loss_difference']:.1e}",
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
