"""What sharing the frozen trunk saves in a pack whose lowest adapted layer is the middle one.

    python -m tests.benchmarks.trunk [--shape 16x32] [--width 8] [--steps 4] [--rounds 5]
                                     [--output FILE]

Three sides train the same configurations on the same tokens: every layer run for every
configuration (`repeated`), the layers below the lowest adapted one run once per batch (`shared`),
and their outputs kept as a search keeps them from the second epoch on (`kept`). Rounds alternate
between the sides, and medians are compared. Printed per shape: ms per configuration and step,
ratios, and the largest difference between the losses.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from autopeft import catalog, checkpoint
from autopeft.discovery import discover
from autopeft.training.heap import keep_freed_memory
from autopeft.training.trunk import Trunk
from autopeft.training.trunk_cache import TrunkCache
from tests.benchmarks.packed import CLASSES, SHAPES, Bench, configurations, packed_runner, timed


def sides(bench: Bench) -> dict[str, Callable[[], torch.Tensor]]:
    """One step of each side."""
    repeated, step = packed_runner(bench, bench.jobs)
    repeated.trunk = Trunk((), repeated.count, None)
    return {
        "repeated": step,
        "shared": packed_runner(bench, bench.jobs)[1],
        "kept": packed_runner(bench, bench.jobs, kept=True)[1],
    }


def compare(bench: Bench, steps: int, rounds: int) -> dict[str, float]:
    """Times and ratios."""
    runners = sides(bench)
    losses = {name: [step() for _ in range(2)] for name, step in runners.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, step in runners.items():
            found, last = timed(bench, step, steps)
            seconds[name].append(found / len(bench.jobs))
            losses[name].append(last[-1])
    median = {name: statistics.median(times) for name, times in seconds.items()}
    reference = torch.stack(losses["repeated"])
    return {
        **{f"{name}_ms": 1000 * value for name, value in median.items()},
        "ratio_shared": median["repeated"] / median["shared"],
        "ratio_kept": median["repeated"] / median["kept"],
        "loss_difference": max(
            (torch.stack(losses[name]) - reference).abs().max().item()
            for name in ("shared", "kept")
        ),
    }


def benches(shapes: list[str], width: int, device: str) -> list[tuple[str, Bench]]:
    """One bench per shape."""
    loaded = checkpoint.load(
        "", architecture="AutoModelForSequenceClassification", outputs=CLASSES, device=device
    )
    backbone = discover(loaded.model, catalog.backbones.all(), name=loaded.name)
    middle = len(backbone.layers) // 2
    made = []
    for shape in shapes:
        rows, tokens = map(int, shape.split("x"))
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(1000, 20_000, (rows, tokens), generator=generator).to(device)
        bench = Bench(
            loaded.model,
            backbone,
            loaded.head,
            configurations(backbone, middle, width),
            {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
            torch.randint(0, CLASSES, (rows,), generator=generator).to(device),
            middle,
            loaded.tokenizer,
            TrunkCache(10**9, len(backbone.layers)),
        )
        made.append((shape, bench))
    return made


def main() -> None:
    """Run every shape and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", action="append", help="ROWSxTOKENS; repeat it")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    keep_freed_memory()
    cases: list[dict[str, Any]] = []
    for shape, bench in benches(options.shape or list(SHAPES), options.width, device):
        found = compare(bench, options.steps, options.rounds)
        cases.append({"shape": shape, "lowest": bench.lowest, **found})
        print(
            f"{shape:6s} K={options.width}, lowest adapted layer {bench.lowest} of "
            f"{len(bench.backbone.layers)}: repeated {found['repeated_ms']:.1f} ms, shared "
            f"{found['shared_ms']:.1f} ms ({found['ratio_shared']:.2f}x), kept "
            f"{found['kept_ms']:.1f} ms ({found['ratio_kept']:.2f}x); loss difference "
            f"{found['loss_difference']:.1e}",
            flush=True,
        )
    about = {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "width": options.width,
    }
    text = json.dumps({"about": about, "cases": cases}, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
