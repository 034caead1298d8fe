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

from autopeft.training.heap import keep_freed_memory
from tests.benchmarks.packed import (
    SHAPES,
    Bench,
    Case,
    bench_of,
    packed_runner,
    quickstart,
    timed,
)


def sides(bench: Bench) -> dict[str, Callable[[], torch.Tensor]]:
    """One step of each side."""
    return {
        "repeated": packed_runner(bench, bench.jobs, share_trunk=False)[1],
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
    loaded, backbone = quickstart(device)
    for shape in options.shape or SHAPES:
        rows, tokens = map(int, shape.split("x"))
        case = Case(rows, tokens, len(backbone.layers) // 2, "middle")
        bench = bench_of(loaded, backbone, case, options.width)
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
