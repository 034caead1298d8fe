"""Everything a study needs to train: its data, its frozen model and its evaluator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from autopeft import catalog, checkpoint
from autopeft.checkpoint import Checkpoint
from autopeft.data import DataOptions
from autopeft.device_choice import choose_device, choose_dtype
from autopeft.errors import UsageError
from autopeft.evaluate import Evaluator
from autopeft.settings import (
    FULL_EPOCHS,
    LENGTH,
    QUICKSTART_LENGTH,
    QUICKSTART_STEPS,
    STEPS,
    Settings,
)
from autopeft.sites.discovery import discover
from autopeft.training.batches import Split, tokenize
from autopeft.training.heap import keep_freed_memory
from autopeft.training.loop import Protocol
from autopeft.training.memory import MemoryModel
from autopeft.training.memory_target import target_of
from autopeft.training.multiply_adds import MultiplyAdds
from autopeft.training.pack import Pack
from autopeft.training.pack_timer import timer
from autopeft.training.planner import Planner
from autopeft.training.trunk_cache import TrunkCache
from autopeft.types import (
    Backbone,
    Examples,
    PeftModule,
    Task,
    TaskData,
)

GPU_PACK = 32
CPU_PACK = 8
Note = Callable[[str], None]


@dataclass(frozen=True)
class Workbench:
    """A frozen model and a data set, ready to train configurations."""

    settings: Settings
    data: TaskData
    task: Task
    checkpoint: Checkpoint
    backbone: Backbone
    modules: Mapping[str, PeftModule]
    evaluator: Evaluator

    def split(self, examples: Examples, name: str = "") -> Split:
        """Those examples tokenised as in training; with a name, their trunk outputs are kept."""
        return tokenize(
            examples,
            self.checkpoint.tokenizer,
            length=self.evaluator.protocol.length,
            classes=bool(self.data.classes),
            device=self.checkpoint.device,
            name=name,
        )


def build(settings: Settings, *, note: Note = lambda text: None) -> Workbench:
    """Load the data and the model of a study.

    Raises:
        UsageError: the data, the task or a metric is wrong.
        MissingError: the model, the device or an extra is missing.
    """
    note("reading the data")
    data = load_data(settings)
    task = catalog.tasks.load(data.task)
    metric = settings.metric or next(iter(task.metrics))
    if metric not in task.metrics:
        raise catalog.unknown("metric", metric, list(task.metrics))
    device = choose_device(settings.device)
    keep_freed_memory()
    note("loading the model")
    loaded = checkpoint.load(
        settings.model,
        architecture=task.architecture,
        outputs=task.outputs(data),
        device=device,
        dtype=choose_dtype(settings.dtype, device),
        offline=settings.offline,
    )
    backbone = backbone_of(loaded)
    return _assemble(settings, data, task, metric, loaded=loaded, backbone=backbone)


def backbone_of(loaded: Checkpoint) -> Backbone:
    """The backbone of a checkpoint; a pooler that it came without counts as part of the head."""
    found = discover(loaded.model, catalog.backbones.all(), name=loaded.name)
    total = found.parameters + found.head_parameters
    head = sum(
        p.numel()
        for path in loaded.head
        for p in loaded.model.get_submodule(path).parameters(recurse=False)
    )
    return replace(found, parameters=total - head, head_parameters=head)


def load_data(settings: Settings) -> TaskData:
    """The three splits that the settings name."""
    if not settings.dataset:
        from autopeft.data.docstrings import load_docstrings

        return load_docstrings(settings.seed, validation_rows=settings.validation_rows)
    from autopeft import data

    options = DataOptions(
        text=settings.text,
        label=settings.label,
        task=settings.task,  # type: ignore[arg-type]
        seed=settings.seed,
        validation_rows=settings.validation_rows,
        train_rows=settings.train_rows,
        offline=settings.offline,
    )
    return data.load(settings.dataset, options)


def _assemble(
    settings: Settings,
    data: TaskData,
    task: Task,
    metric: str,
    *,
    loaded: Checkpoint,
    backbone: Backbone,
) -> Workbench:
    modules = catalog.modules.all()
    protocol = protocol_of(settings, loaded, rows=len(data.train))
    train, validation = (
        tokenize(
            examples,
            loaded.tokenizer,
            length=protocol.length,
            classes=bool(data.classes),
            device=loaded.device,
            name=name,
        )
        for name, examples in (("train", data.train), ("validation", data.validation))
    )
    evaluator = Evaluator(
        checkpoint=loaded,
        backbone=backbone,
        modules=modules,
        task=task,
        metric=metric,
        protocol=protocol,
        splits=(train, validation),
        seeds=tuple(settings.seed + i for i in range(settings.seeds)),
        memory=_memory(settings, protocol, loaded, backbone, task),
        planner=_planner(settings, loaded, backbone, task, split=train, rows=protocol.batch),
        trunk_cache=trunk_cache_of(settings, backbone),
        needs_memory=bool(settings.memory) or "peak_memory" in settings.objectives,
        compute=_compute(loaded, backbone, protocol) if "compute" in settings.objectives else None,
    )
    return Workbench(settings, data, task, loaded, backbone, modules, evaluator)


def _compute(loaded: Checkpoint, backbone: Backbone, protocol: Protocol) -> MultiplyAdds:
    """What a forward pass takes at the length of the protocol."""
    inputs = tuple(loaded.tokenizer.model_input_names)
    modules = catalog.modules.all()
    return MultiplyAdds(loaded.model, backbone, modules, loaded.head, protocol.length, inputs)


def _memory(
    settings: Settings, protocol: Protocol, loaded: Checkpoint, backbone: Backbone, task: Task
) -> MemoryModel:
    """What training one configuration alone takes."""
    target = target_of(
        settings,
        protocol,
        dtype=loaded.dtype,
        device=loaded.device.type,
        inputs=loaded.tokenizer.model_input_names,
    )
    return MemoryModel(loaded.model, backbone, catalog.modules.all(), loaded.head, target, task)


def _planner(
    settings: Settings,
    loaded: Checkpoint,
    backbone: Backbone,
    task: Task,
    *,
    split: Split,
    rows: int,
) -> Planner:
    """Splits configurations into packs by steps timed on these rows."""
    modules = catalog.modules.all()
    step = timer(
        loaded.model,
        partial(Pack, loaded.model, backbone, modules=modules, head=loaded.head),
        backbone=backbone,
        modules=modules,
        task=task,
        split=split,
        rows=rows,
    )
    largest = settings.pack or (CPU_PACK if loaded.device.type == "cpu" else GPU_PACK)
    return Planner(step, len(backbone.layers), largest, fixed=bool(settings.pack))


def trunk_cache_of(settings: Settings, backbone: Backbone) -> TrunkCache:
    """The cache of the frozen trunk's outputs.

    Raises:
        UsageError: its folder is none.
    """
    folder = Path(settings.trunk_folder) if settings.trunk_folder else None
    if folder is not None and not folder.is_dir():
        raise UsageError(
            f"`--trunk-folder {folder}` is not a folder", hint="name one that is there"
        )
    return TrunkCache(settings.trunk_cache, len(backbone.layers), folder)


def protocol_of(settings: Settings, loaded: Checkpoint, *, rows: int) -> Protocol:
    """How every configuration is trained, with so many rows of search-train."""
    quickstart = not settings.model and not settings.dataset
    steps = QUICKSTART_STEPS if quickstart else STEPS[loaded.device.type]
    if settings.proxy == "none":
        steps = FULL_EPOCHS * math.ceil(rows / settings.batch)
    length = settings.length or (QUICKSTART_LENGTH if quickstart else LENGTH)
    return Protocol(
        steps=settings.steps or steps,
        batch=settings.batch,
        length=min(length, int(loaded.tokenizer.model_max_length)),
        seed=settings.seed,
    )
