"""Two hundred configurations trained in one process leave memory where it was."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest
import torch

from autopeft.training.loop import train
from autopeft.training.pack import Job, Pack
from autopeft.types import Configuration
from autopeft.workbench import Workbench
from tests import tiny_bundle

WIDTH = 10
PACKS = 14
WARM = 6
"""Packs after which every module type and trunk depth has been met, and every row that is kept."""
ALLOWED = 32 * 1024
"""Bytes of Python objects: caches of the interpreter, nothing that grows with a configuration."""


def train_pack(bench: Workbench, number: int) -> None:
    """One pack of every module type, its sizes different from all others."""
    modules = sorted(bench.modules)
    jobs = []
    for k in range(WIDTH):
        module, lowest = modules[(number + k) % len(modules)], (number + k) % 3
        placed = tiny_bundle.placed(bench, module, [1 + (number + k) % 7], layers=range(lowest, 3))
        jobs.append(Job(Configuration(tuple(placed), 1e-3), number * WIDTH + k))
    loaded = bench.checkpoint
    pack = Pack(loaded.model, bench.backbone, jobs, modules=bench.modules, head=loaded.head)
    evaluator = bench.evaluator
    trained = train(
        loaded.model,
        pack,
        task=bench.task,
        protocol=evaluator.protocol,
        splits=evaluator.splits,
    )
    assert len(trained) == WIDTH


def tensors() -> int:
    gc.collect()
    return sum(issubclass(type(found), torch.Tensor) for found in gc.get_objects())


def traced() -> int:
    """Bytes of Python objects that are still in use."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def hooks(bench: Workbench) -> int:
    modules = list(bench.checkpoint.model.modules())
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


def on_device() -> int:
    if not torch.cuda.is_available():
        return 0
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated()


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = tiny_bundle.bench(tmp_path, "bert", steps=2)
    if torch.cuda.is_available():
        made.checkpoint.model.to("cuda")
    return made


def test_two_hundred_configurations_leave_nothing_behind(bench: Workbench) -> None:
    for number in range(WARM):
        train_pack(bench, number)
    before = tensors(), hooks(bench), on_device()
    tracemalloc.start()
    try:
        for number in range(PACKS // 2):
            train_pack(bench, number)
        held = traced()
        for number in range(PACKS // 2, PACKS):
            train_pack(bench, number)
        after = tensors(), hooks(bench), on_device()
        grown = traced() - held
    finally:
        tracemalloc.stop()
    assert after == before
    assert grown < ALLOWED
