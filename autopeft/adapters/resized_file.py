"""A resized model in a folder of its own: the base too, without what is cut.

`config.json` is that of transformers, `resized.json` says what sits where and what was cut, and
`resized.safetensors` holds every weight.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft.adapters.loading import ATTRIBUTE, attach, pack_of
from autopeft.adapters.resizing import resize
from autopeft.errors import UsageError

if TYPE_CHECKING:
    import torch

    from autopeft.training.pack import Pack

SCHEMA = "autopeft.resized/1"
DESCRIPTION = "resized.json"
TENSORS = "resized.safetensors"
BASE = "base:"
ADDED = "adapter:"


def save_resized(model: torch.nn.Module, folder: str | Path) -> list[Path]:
    """Write a model that `resize` has made smaller, for `load_resized`; gives the files.

    Args:
        model: the model, its head and its adapter included.
        folder: where to; made when missing.

    Raises:
        UsageError: the model has no adapter of AutoPEFT, or has not been resized.
    """
    from safetensors.torch import save_file

    from autopeft.training.masks import cuts

    pack = pack_of(model)
    if not any(getattr(layer, "resized", False) for layer in pack.layers.values()):
        raise UsageError("the model has not been resized", hint="call `autopeft.resize` first")
    config: Any = model.config
    about = {
        "schema": SCHEMA,
        "architecture": type(model).__name__,
        "head": list(pack.head.paths),
        "configuration": pack.jobs[0].configuration.to_json(),
        "cut": cuts(pack),
    }
    place = Path(folder)
    config.save_pretrained(place)
    (place / DESCRIPTION).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    save_file(_tensors(model, pack), place / TENSORS)
    return [place / "config.json", place / DESCRIPTION, place / TENSORS]


def _tensors(model: torch.nn.Module, pack: Pack) -> dict[str, torch.Tensor]:
    """Every weight on the CPU, each with storage of its own."""
    base = {
        f"{BASE}{name}": tensor.cpu().clone().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith(f"{ATTRIBUTE}.")
    }
    return base | {f"{ADDED}{name}": t.contiguous() for name, t in pack.export(0).items()}


def load_resized(folder: str | Path) -> torch.nn.Module:
    """The model that `save_resized` wrote, on the CPU and in eval mode; no base model is needed.

    Raises:
        UsageError: there is none in the folder, or it cannot be read.
    """
    import transformers

    place = Path(folder)
    about, tensors = _read(place)
    base, added = _part(tensors, BASE), _part(tensors, ADDED)
    try:
        config = transformers.AutoConfig.from_pretrained(place, local_files_only=True)
        model: Any = getattr(transformers, about["architecture"])(config)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise UsageError(
            f"cannot build the model that `{place}` describes: {error}",
            hint="write the folder again with `autopeft.save_resized`",
        ) from error
    model.to(next(t.dtype for t in base.values() if t.is_floating_point()))
    attach(model, about["configuration"], head=about["head"])
    try:
        _fill(model, base, added)
    except (RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise UsageError(
            f"`{place / TENSORS}` does not fit `{place / 'config.json'}`: {reason}",
            hint="write the folder again with `autopeft.save_resized`",
        ) from error
    return model.eval()  # type: ignore[no-any-return]


def _read(place: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        about = json.loads((place / DESCRIPTION).read_text(encoding="utf-8"))
        if about["schema"] != SCHEMA:
            raise UsageError(
                f"`{place / DESCRIPTION}` has the format `{about['schema']}`, not `{SCHEMA}`",
                hint="load it with the version of AutoPEFT that wrote it",
            )
        return about, load_file(place / TENSORS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UsageError(
            f"cannot read a resized model from `{place}`: {error}",
            hint="name a folder that `autopeft.save_resized` wrote",
        ) from error


def _fill(
    model: torch.nn.Module, base: dict[str, torch.Tensor], added: dict[str, torch.Tensor]
) -> None:
    """Make the model as small as its weights are, and give it these.

    Raises:
        KeyError: a weight is missing, or is none of the model's.
        RuntimeError: a weight has another shape.
    """
    pack = pack_of(model)
    _cut(pack, added)
    resize(model)
    missing, unknown = model.load_state_dict(base, strict=False)
    if other := [*(n for n in missing if not n.startswith(f"{ATTRIBUTE}.")), *unknown]:
        raise KeyError(other[0])
    pack.restore(0, added)
    pack.settle()


def _cut(pack: Pack, added: Mapping[str, torch.Tensor]) -> None:
    """Set the masks, so that the model can be made as small as the weights are."""
    from autopeft.training.masks import PackedMasks

    for key, layer in pack.layers.items():
        if isinstance(layer, PackedMasks):
            layer.restore(0, _part(added, f"{key.replace('/', '.')}:"))


def _part(tensors: Mapping[str, torch.Tensor], start: str) -> dict[str, torch.Tensor]:
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
