"""Predicted against measured peak memory over random configurations of several architectures.

    python -m tests.benchmarks.memory [--configurations 15] [--output FILE]

With a GPU the measured side is `torch.cuda.max_memory_allocated` over three real steps, with
reserved memory beside it. Without one it is the peak of the CPU allocator's own events in a real
step, plus weights and optimiser state, which are counted from the tensors. Printed per
architecture and in all: the 50th and 95th percentile and the largest |predicted - measured| /
measured, of everything and, harder, of the step alone, where the bytes that stay are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoModelForSequenceClassification

from autopeft import catalog, checkpoint
from autopeft.sites.discovery import discover
from autopeft.training.cuda_memory import measure
from autopeft.training.memory import MemoryModel
from autopeft.training.memory_target import Target
from autopeft.training.pack import Job, Pack
from autopeft.types import Backbone, Configuration, Placement
from tests.training.cpu_allocator import step_peak

CUDA = torch.cuda.is_available()
WIDTH, LAYERS, HEADS = (768, 12, 12) if CUDA else (128, 4, 4)
TARGET = Target(16, 128, precision="bfloat16", device="cuda") if CUDA else Target(8, 48)
VOCABULARY = 32_000 if CUDA else 1000
MODULES = catalog.modules.all()
TASK = catalog.tasks.load("text_classification")
ARCHITECTURES = ("bert", "roberta", "gpt2", "llama", "qwen3")


def model_of(architecture: str) -> Any:
    """A frozen model with random weights."""
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 4 * WIDTH,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "use_cache": False,
        "num_labels": 3,
    }
    if architecture in ("llama", "qwen3"):
        sizes |= {"num_key_value_heads": HEADS // 2, "head_dim": WIDTH // HEADS}
    if architecture == "gpt2":
        sizes |= {"n_inner": 4 * WIDTH}
    config = transformers.AutoConfig.for_model(architecture, **sizes)
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(config)
    return model.requires_grad_(False).eval().to(TARGET.device, TARGET.dtype)


def drawn(backbone: Backbone, rng: random.Random) -> Configuration:
    """Up to four roles with modules of any type, in all layers from a random one upwards.

    Not those of training-time methods, for which the prediction is a bound.
    """
    lowest = rng.randrange(len(backbone.layers))
    roles = rng.sample(sorted({s.role for s in backbone.sites}), rng.randint(0, 4))
    placed = []
    for site in backbone.sites:
        for name, piece in MODULES.items():
            fits = site.kind == piece.kind and piece.method is None
            if fits and site.role in roles and site.layer >= lowest:
                settings = {**piece.defaults, piece.size: rng.choice((1, 2, 4, 8, 16, 32))}
                placed.append(Placement(site.name, name, settings))
    return Configuration(tuple(placed), 1e-3)


def measured(model: Any, memory: MemoryModel, configuration: Configuration) -> dict[str, int]:
    """Bytes of everything and of the step alone, measured."""
    parts = memory.parts(configuration)
    staying = parts.total - parts.step
    if not CUDA:
        step = step_peak(model, memory, configuration)
        return {"total": staying + step, "step": step}
    jobs = [Job(configuration, 0)]
    pack = Pack(model, memory.backbone, jobs, modules=MODULES, head=memory.head)
    allocated, reserved = measure(model, pack, TASK, target=TARGET)
    return {"total": allocated, "step": allocated - staying, "reserved": reserved}


def rows_of(architecture: str, count: int) -> list[dict[str, Any]]:
    """One row for each configuration."""
    model = model_of(architecture)
    backbone = discover(model, catalog.backbones.all(), name=architecture)
    head = checkpoint.head_paths(model, set())
    memory = MemoryModel(model, backbone, MODULES, head, TARGET, TASK)
    rng = random.Random(0)
    rows = []
    for number in range(count):
        configuration = drawn(backbone, rng)
        started = time.process_time()
        parts = memory.parts(configuration)
        first = time.process_time() - started
        started = time.process_time()
        memory.parts(configuration)
        rows.append(
            {
                "architecture": architecture,
                "number": number,
                "modules": len(configuration.placements),
                "predicted": {"total": parts.total, "step": parts.step},
                "measured": measured(model, memory, configuration),
                "first_seconds": first,
                "again_seconds": time.process_time() - started,
            }
        )
    return rows


def errors(rows: list[dict[str, Any]], what: str) -> dict[str, float]:
    """Percentiles of the relative error, as percent."""
    pairs = [(row["predicted"][what], row["measured"][what]) for row in rows]
    off = [100 * abs(predicted - real) / real for predicted, real in pairs]
    return {
        "p50": float(np.percentile(off, 50)),
        "p95": float(np.percentile(off, 95)),
        "max": max(off),
    }


def main() -> None:
    """Run every architecture and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configurations", type=int, default=15, help="of each architecture")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    summary = {}
    for name in (*ARCHITECTURES, "all"):
        mine = rows if name == "all" else rows_of(name, options.configurations)
        rows += [] if name == "all" else mine
        summary[name] = {what: errors(mine, what) for what in ("total", "step")}
        total, step = summary[name]["total"], summary[name]["step"]
        print(
            f"{name:8s} {len(mine):3d} configurations  error of all p50 {total['p50']:.3f} %"
            f"  p95 {total['p95']:.3f} %  max {total['max']:.3f} %;  of the step p50"
            f" {step['p50']:.3f} %  p95 {step['p95']:.3f} %  max {step['max']:.3f} %",
            flush=True,
        )
    about = {
        "device": torch.cuda.get_device_name() if CUDA else f"{os.cpu_count()} CPU cores",
        "measured": "max_memory_allocated" if CUDA else "CPU allocator events of a real step",
        "target": {"rows": TARGET.rows, "tokens": TARGET.length, "precision": TARGET.precision},
        "versions": {m.__name__: m.__version__ for m in (torch, transformers)},
    }
    text = json.dumps({"about": about, "errors_percent": summary, "rows": rows}, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
