"""Ground truth: what the CPU allocator handed out in one real training step."""

from __future__ import annotations

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from autopeft.training.callback import Run, methods
from autopeft.training.checkpointing import checkpointed
from autopeft.training.loop import full_step
from autopeft.training.memory import MemoryModel
from autopeft.training.memory_target import stated_batch
from autopeft.training.pack import Job, Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Configuration


def step_peak(model: Any, memory: MemoryModel, configuration: Configuration) -> int:
    """Most bytes above the start of the second step, from the profiler's allocation events."""
    target = memory.target
    jobs = [Job(configuration, 0)]
    pack = Pack(model, memory.backbone, jobs, modules=memory.modules, head=memory.head)
    optimiser = PackedAdamW(list(pack.parameters()), torch.zeros(1))
    labels = torch.zeros(target.rows, dtype=torch.long)
    split = stated_batch(target, labels, torch.device("cpu"))

    rows, acting = list(range(target.rows)), methods(pack)
    run = Run(model, pack, optimiser, memory.task, split, 2, target.rows, [rows] * 2)
    with checkpointed(model, memory.backbone, target.checkpointing), pack.attached(model):
        full_step(run, rows, acting, number=0)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            full_step(run, rows, acting, number=1)
    return peak(profiled)


def peak(profiled: Any) -> int:
    """Most bytes that were allocated at once while it was profiled."""
    events = profiled.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most
