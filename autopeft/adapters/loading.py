"""Put adapters on models, for good: new ones, and those that AutoPEFT exported.

The model computes with the very code it was searched with: a pack of one configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft import catalog, checkpoint
from autopeft.adapters import adapter_file
from autopeft.adapters.adapter_file import Adapter, Base
from autopeft.adapters.shipping import shipped
from autopeft.errors import UsageError
from autopeft.sites.discovery import discover
from autopeft.types import Configuration

if TYPE_CHECKING:
    import torch

    from autopeft.training.pack import Pack

ATTRIBUTE = "autopeft"
"""Name of the submodule of the model that holds the adapter."""


def attach(
    model: torch.nn.Module,
    configuration: Configuration | Mapping[str, Any] | str | Path,
    *,
    head: Sequence[str],
    seed: int = 0,
) -> torch.nn.Module:
    """The model itself, frozen, with a new adapter as its submodule `autopeft`.

    Args:
        model: a transformers model with a head; it is changed.
        configuration: what to put where, also as plain data or as the path of a JSON file.
        head: paths of the modules that are trained in a new copy.
        seed: of the initial weights.

    Raises:
        UsageError: the model has an adapter already, or lacks a place the configuration names.
    """
    from autopeft.training.pack import Job, Pack

    _check_bare(model)
    backbone = discover(model, catalog.backbones.all(), name=type(model).__name__)
    job = Job(_configuration(configuration), seed)
    _check_places(model, {site.name for site in backbone.sites}, job.configuration, head)
    model.requires_grad_(False)
    pack = Pack(model, backbone, [job], modules=catalog.modules.all(), head=head)
    for key, layer in pack.layers.items():
        hook: Any = layer.attach
        hook(model, pack.sites[key])
    pack.head.attach(model)
    model.add_module(ATTRIBUTE, pack)
    return model


def load(
    folder: str | Path,
    model: torch.nn.Module | None = None,
    *,
    device: str = "",
    dtype: str = "float32",
) -> torch.nn.Module:
    """A model with the adapter that AutoPEFT wrote to that folder, in eval mode.

    Args:
        folder: of `autopeft.json`.
        model: the base model, which is changed; by default it is loaded from where it came.
        device: to move the model to; by default where it is, or the CPU.
        dtype: of the base model when it is loaded here.

    Raises:
        UsageError: there is no such adapter, or the model is another one.
        MissingError: the base model cannot be loaded.
    """
    adapter, tensors = adapter_file.read(Path(folder))
    if model is None:
        model = checkpoint.load(
            adapter.base.source,
            architecture=adapter.base.architecture,
            outputs=adapter.base.outputs,
            dtype=dtype,
        ).model
    _check_bare(model)
    _check_base(model, adapter)
    attach(model, adapter.configuration, head=adapter.head)
    pack_of(model).restore(0, tensors)
    pack_of(model).settle()
    _describe(model, adapter)
    return model.to(device or next(model.parameters()).device).eval()


def save(
    model: torch.nn.Module,
    folder: str | Path,
    *,
    source: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write the adapter of a model that `attach` or `load` gave, for `load`; gives the files.

    What a training-time method has moved or cut is written as what it has become, such as a LoRA.
    Heads and neurons that are cut are named in `autopeft.json`, under `about`.

    Args:
        model: the model.
        folder: where to; made when missing.
        source: hub id or folder of the base model; by default what the model was loaded from.
        about: plain data to keep with it.

    Raises:
        UsageError: the model has no adapter of AutoPEFT, or has been resized.
    """
    from autopeft.training import masks

    pack = pack_of(model)
    _check_whole(pack)
    config: Any = model.config
    head = pack.head.paths
    base = Base(
        source=place_of(config.name_or_path) if source is None else source,
        architecture=type(model).__name__,
        outputs=int(config.num_labels),
        pad_token_id=config.pad_token_id,
        digests=adapter_file.digests(model, head, pack),
    )
    names = tuple(config.id2label[i] for i in range(base.outputs)) if base.outputs > 1 else ()
    configuration, tensors = shipped(
        pack.jobs[0].configuration, pack.export(0), catalog.modules.all()
    )
    there = {placement.site for placement in configuration.placements}
    cut = {site: parts for site, parts in masks.cuts(pack).items() if site in there}
    about = {**(about or {}), **({"cut": cut} if cut else {})}
    adapter = Adapter(base, configuration, head, names, about)
    return adapter_file.write(Path(folder), adapter, tensors)


def _check_whole(pack: Pack) -> None:
    if any(getattr(layer, "resized", False) for layer in pack.layers.values()):
        raise UsageError(
            "a resized model no longer holds the adapter of its base model",
            hint="write it with `autopeft.save_resized`, or save first and resize what is loaded",
        )


def place_of(source: str) -> str:
    """A hub id, or nothing, as it is; a folder as a path that holds from everywhere here."""
    return str(Path(source).resolve()) if source and Path(source).is_dir() else source


def _configuration(given: Configuration | Mapping[str, Any] | str | Path) -> Configuration:
    if isinstance(given, Configuration):
        return given
    try:
        data = given if isinstance(given, Mapping) else json.loads(Path(given).read_text("utf-8"))
        return Configuration.from_json(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"cannot read the configuration: {error!r}") from error


def _check_bare(model: torch.nn.Module) -> None:
    if hasattr(model, ATTRIBUTE):
        raise UsageError("the model has an adapter already", hint="load the base model again")


def _check_places(
    model: torch.nn.Module, sites: set[str], configuration: Configuration, head: Sequence[str]
) -> None:
    paths = {path for path, _ in model.named_modules()}
    wanted = {placement.site for placement in configuration.placements}
    missing = sorted(set(head) - paths) + sorted(wanted - sites)
    if missing:
        raise UsageError(
            f"the model `{type(model).__name__}` has no `{missing[0]}`",
            hint="load the model with the head and the architecture that was searched",
        )


def _check_base(model: Any, adapter: Adapter) -> None:
    """UsageError when the adapter was not made for the model."""
    base = adapter.base
    outputs = getattr(model.config, "num_labels", None)
    if outputs != base.outputs:
        raise UsageError(
            f"the model has {outputs} outputs and the adapter {base.outputs}",
            hint=f"load the model with `num_labels={base.outputs}`",
        )
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    dtype = dtype if dtype in base.digests else next(iter(base.digests))
    if adapter_file.digest_of(model, adapter.head, dtype) != base.digests[dtype]:
        raise UsageError(
            f"the adapter was made for other weights than those of `{model.config.name_or_path}`",
            hint=f"it belongs to `{base.source or checkpoint.QUICKSTART}`",
        )


def _describe(model: Any, adapter: Adapter) -> None:
    """Class names and padding token, as they were when the adapter was trained."""
    model.config.pad_token_id = adapter.base.pad_token_id
    if adapter.classes:
        model.config.id2label = dict(enumerate(adapter.classes))
        model.config.label2id = {name: i for i, name in enumerate(adapter.classes)}


def pack_of(model: torch.nn.Module) -> Pack:
    """The adapter of a model that `attach` or `load` gave; UsageError when it has none."""
    pack: Pack | None = getattr(model, ATTRIBUTE, None)
    if pack is None:
        raise UsageError("the model has no adapter of AutoPEFT", hint="see `autopeft.attach`")
    return pack
