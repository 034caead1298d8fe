"""One real training step of a pack of one without data, recorded by layer and direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from autopeft.training.batches import Split
from autopeft.training.checkpointing import checkpointed
from autopeft.training.fused_attention import FusedAttention
from autopeft.training.live_storages import Event, LiveStorages, Mark
from autopeft.training.loop import train_step
from autopeft.training.memory_target import Target, stated_batch
from autopeft.training.meta_kernels import MetaKernels
from autopeft.training.meta_model import MetaModel
from autopeft.training.pack import Job, Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Configuration, PeftModule, Task

Segment = tuple[str, int]
"""(`before`, `forward`, `top` or `backward`; index of the layer, else 0)."""
META = torch.device("meta")
BEFORE, TOP, STEP = ("before", 0), ("top", 0), ("step", 0)


@dataclass
class Trace:
    """What a step allocated and released, cut into segments."""

    pack: Pack
    segments: dict[Segment, list[Event]] = field(default_factory=dict)
    inputs: dict[int, int] = field(default_factory=dict)
    """Layer -> storage of the hidden states it reads."""
    outputs: dict[int, int] = field(default_factory=dict)
    gradients: dict[int, int] = field(default_factory=dict)
    """Layer -> storage of the gradient of what it gives."""

    @property
    def events(self) -> list[Event]:
        """All events in order."""
        return [event for events in self.segments.values() for event in events]


class Stopped(PackedAdamW):
    """Marks where a step of the optimiser would begin, and leaves all as it is."""

    def __init__(self, live: LiveStorages) -> None:
        """Mark the tape."""
        self._live = live

    def step(self, factor: float = 1.0) -> None:
        """Mark the moment."""
        self._live.mark(STEP)


def trace(
    made: MetaModel,
    configuration: Configuration,
    target: Target,
    *,
    modules: Mapping[str, PeftModule],
    head: Sequence[str],
    task: Task,
    kernels: MetaKernels,
) -> Trace:
    """Record one step up to where the optimiser would begin."""
    with META:
        jobs = [Job(configuration, 0)]
        pack = Pack(made.model, made.backbone, jobs, modules=modules, head=head)
        split = stated_batch(target, torch.zeros(target.rows, dtype=torch.long), META)
    found, live = Trace(pack), LiveStorages(kernels)
    with ExitStack() as stack:
        stack.enter_context(
            checkpointed(made.model, made.backbone, target.checkpointing, again=FusedAttention)
        )
        stack.enter_context(pack.attached(made.model))
        stack.enter_context(_marked(made, live, found))
        stack.enter_context(FusedAttention())
        stack.enter_context(live)
        _run(made, pack, split, task, live)
    found.segments = _cut(live.tape, len(made.backbone.layers))
    return found


def _run(made: MetaModel, pack: Pack, split: Split, task: Task, live: LiveStorages) -> None:
    """A training step, or where nothing is trained as far as the loss."""
    rows = list(range(len(split.labels)))
    if any(True for _ in pack.parameters()):
        train_step(made.model, pack, Stopped(live), task, split=split, indices=rows)
    else:
        task.loss(pack.logits(made.model, split.batch(rows)), split.labels)


@contextmanager
def _marked(made: MetaModel, live: LiveStorages, found: Trace) -> Iterator[None]:
    """Marks on the tape where a layer begins and ends, forward and backward."""
    handles: list[Any] = []
    for index, path in enumerate(made.backbone.layers):
        layer = made.model.get_submodule(path)
        enter, leave = _hooks(index, live, found)
        handles.append(layer.register_forward_pre_hook(enter, with_kwargs=True, prepend=True))
        handles.append(layer.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hooks(index: int, live: LiveStorages, found: Trace) -> tuple[Any, Any]:
    def enter(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not _recomputing():
            hidden = args[0] if args else kwargs["hidden_states"]
            found.inputs[index] = live.id_of(hidden)
            live.mark(("forward", index))

    def leave(layer: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if _recomputing():
            return
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        found.outputs[index] = live.id_of(hidden)
        live.mark(("after", index))
        if hidden.requires_grad:
            hidden.register_hook(turn)

    def turn(gradient: torch.Tensor) -> None:
        found.gradients[index] = live.id_of(gradient)
        live.mark(("backward", index))

    return enter, leave


def _recomputing() -> bool:
    """Whether a layer runs again inside the backward pass."""
    return torch._C._current_graph_task_id() >= 0


def _cut(tape: Sequence[Event | Mark], layers: int) -> dict[Segment, list[Event]]:
    """Events by segment, up to the optimiser's step.

    What goes right after a layer, before anything comes, goes with it; but what served all layers
    was held by the model, and goes on top of them.
    """
    segments: dict[Segment, list[Event]] = {BEFORE: []}
    now: Segment = BEFORE
    ended = -1
    served: set[int] = set()
    for entry in tape:
        if isinstance(entry, Mark):
            if entry.label == STEP:
                break
            name, index = entry.label
            ended = index if name == "after" else -1
            now = now if name == "after" else (name, index)
        else:
            if ended == layers - 1 and entry.sign > 0:
                now, ended = TOP, -1
            if now == BEFORE:
                served.add(entry.storage)
            on_top = ended == layers - 1 and entry.storage in served
            segments.setdefault(TOP if on_top else now, []).append(entry)
    return segments
