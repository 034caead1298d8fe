"""What a third of the heads and neurons less saves: MiniLM cut and resized against uncut.

    python -m tests.benchmarks.pruning [--shape 16x64] [--cut 34] [--rounds 9] [--output FILE]

Three sides hold the same LoRA (rank 8 on every linear) and the same head: the whole model
(`uncut`), the model with masks as it is while masks learn (`masked`), and the model that
`autopeft.resize` gives (`resized`). What is cut is drawn, `--cut` percent of the heads of each
layer and of all neurons: the question is what it saves, not what it costs in accuracy. A forward
pass without gradients and a training step with AdamW are timed in rounds that alternate between the
sides, and medians are compared. Memory is that of all weights, and the peak of a training step
above its start from the CPU allocator's own events, or from CUDA's counter with a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

import autopeft
from autopeft import catalog, checkpoint
from autopeft.callbacks.pruning import cut
from autopeft.sites.discovery import discover
from autopeft.training.heap import keep_freed_memory
from autopeft.training.masks import PackedMasks
from autopeft.types import Configuration, Placement
from tests.training.cpu_allocator import peak

CLASSES, RANK, RATE = 8, 8, 1e-3


@dataclass(frozen=True)
class Side:
    """One model, a batch, and what it does with it."""

    model: Any
    batch: dict[str, torch.Tensor]
    optimiser: torch.optim.Optimizer

    @torch.no_grad()
    def forward(self) -> None:
        """Logits."""
        self.model(**{k: v for k, v in self.batch.items() if k != "labels"})

    def step(self) -> None:
        """One update."""
        self.model(**self.batch).loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()


def side_of(model: Any, batch: dict[str, torch.Tensor], percent: int, *, resized: bool) -> Side:
    """LoRA on every linear, and parts drawn to be cut where `percent` is not 0."""
    backbone = discover(model, catalog.backbones.all(), name="MiniLM")
    kinds = {"linear": "lora", "attention": "cut_heads", "mlp": "cut_neurons"}
    sizes = {"linear": RANK, "attention": percent, "mlp": percent}
    placed = []
    for site in backbone.sites:
        if sizes.get(site.kind):
            piece = catalog.modules.load(kinds[site.kind])
            settings = {**piece.defaults, piece.size: sizes[site.kind]}
            placed.append(Placement(site.name, kinds[site.kind], settings))
    head = checkpoint.head_paths(model, set())
    autopeft.attach(model, Configuration(tuple(placed), RATE), head=head)
    if resized:
        _draw(model)
        autopeft.resize(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    return Side(model, batch, torch.optim.AdamW(trained, lr=RATE))


def _draw(model: Any) -> None:
    layers = [x for x in model.autopeft.layers.values() if isinstance(x, PackedMasks)]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in layers:
            layer.masks.copy_(torch.rand(layer.masks.shape, generator=generator))
        heads = [layer for layer in layers if layer.parts < 100]
        for group in [*([layer] for layer in heads), [x for x in layers if x not in heads]]:
            cut(group, 0)


def seconds(action: Callable[[], None], device: str) -> float:
    """Of one run."""
    started = time.perf_counter()
    action()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def step_bytes(side: Side, device: str) -> int:
    """Peak of a step above its start."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        side.step()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        side.step()
    return peak(profiled)


def compare(shape: str, percent: int, rounds: int) -> dict[str, Any]:
    """Every figure of the three sides, and their ratios to the uncut one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    given = {"architecture": "AutoModelForSequenceClassification", "outputs": CLASSES}
    base = checkpoint.load("", **given, device=device).model
    rows, tokens = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 20_000, (rows, tokens), generator=generator).to(device)
    labels = torch.randint(0, CLASSES, (rows,), generator=generator).to(device)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    sides = {
        "uncut": side_of(deepcopy(base), batch, 0, resized=False),
        "masked": side_of(deepcopy(base), batch, percent, resized=False),
        "resized": side_of(deepcopy(base), batch, percent, resized=True),
    }
    times: dict[str, dict[str, list[float]]] = {n: {"forward": [], "step": []} for n in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            for what, spent in times[name].items():
                found = seconds(getattr(side, what), device)
                if number:
                    spent.append(found)
    found = {
        name: {
            **{f"{w}_ms": 1000 * statistics.median(spent) for w, spent in times[name].items()},
            "weights_mb": sum(p.nbytes for p in side.model.parameters()) / 1e6,
            "step_peak_mb": step_bytes(side, device) / 1e6,
        }
        for name, side in sides.items()
    }
    ratios = {
        name: {key: value / found["uncut"][key] for key, value in figures.items()}
        for name, figures in found.items()
    }
    return {"shape": shape, "cut_percent": percent, "sides": found, "ratio_to_uncut": ratios}


def main() -> None:
    """Run every shape and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", action="append", help="ROWSxTOKENS; repeat it")
    parser.add_argument("--cut", type=int, default=34)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    keep_freed_memory()
    cases = [compare(shape, options.cut, options.rounds) for shape in options.shape or ("16x64",)]
    for case in cases:
        for name, figures in case["sides"].items():
            ratio = case["ratio_to_uncut"][name]
            words = (f"{key} {value:.1f} ({ratio[key]:.2f})" for key, value in figures.items())
            print(f"{case['shape']} {name:8s} {', '.join(words)}")
    if options.output:
        about = {
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "machine": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "load_average": os.getloadavg()[0],
        }
        options.output.write_text(json.dumps({**about, "cases": cases}, indent=2) + "\n")


if __name__ == "__main__":
    main()
