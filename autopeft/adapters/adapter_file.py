"""AutoPEFT's own adapter form: `autopeft.json` says what it is, `autopeft.safetensors` holds it.

It can express every configuration, mixtures of modules included, and is read by `autopeft.load`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft import digest
from autopeft.errors import UsageError
from autopeft.types import Configuration

if TYPE_CHECKING:
    import torch

SCHEMA = "autopeft.adapter/1"
DESCRIPTION = "autopeft.json"
TENSORS = "autopeft.safetensors"
DTYPES = ("float32", "bfloat16", "float16")
"""Those that a base model may be loaded in; the first holds the values of the others."""
SAMPLE = 16
"""Values of every weight that its digest reads."""


@dataclass(frozen=True)
class Base:
    """The frozen model that an adapter belongs to."""

    source: str
    """Hub id or folder; empty for the quickstart model."""
    architecture: str
    """Name of its class in transformers."""
    outputs: int
    """Width of the head."""
    pad_token_id: int | None
    digests: Mapping[str, str]
    """Name of a dtype -> digest of the frozen weights held in it."""


@dataclass(frozen=True)
class Adapter:
    """What `autopeft.json` says."""

    base: Base
    configuration: Configuration
    head: tuple[str, ...]
    """Paths of the modules that the adapter brings its own copy of."""
    classes: tuple[str, ...]
    """Class names in index order; empty for regression."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from: study, trial, ..."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "schema": SCHEMA,
            "base": asdict(self.base),
            "classes": list(self.classes),
            "head": list(self.head),
            "configuration": self.configuration.to_json(),
            "about": dict(self.about),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Adapter:
        """The inverse of `to_json`; KeyError or TypeError when something is missing."""
        return Adapter(
            Base(**data["base"]),
            Configuration.from_json(data["configuration"]),
            tuple(data["head"]),
            tuple(data["classes"]),
            dict(data["about"]),
        )


def write(folder: Path, adapter: Adapter, tensors: Mapping[str, torch.Tensor]) -> list[Path]:
    """Write both files; gives their paths."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(adapter.to_json(), indent=2) + "\n"
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / TENSORS)
    return [folder / DESCRIPTION, folder / TENSORS]


def read(folder: Path) -> tuple[Adapter, dict[str, torch.Tensor]]:
    """The description and the tensors.

    Raises:
        UsageError: there is no adapter of AutoPEFT in the folder, or it cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    adapter = _description(folder / DESCRIPTION)
    try:
        return adapter, load_file(folder / TENSORS)
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"cannot read `{folder / TENSORS}`: {error}", hint="export the trial again"
        ) from error


def _description(path: Path) -> Adapter:
    if not path.is_file():
        hint = "name a folder that `autopeft export` wrote"
        if (path.parent / "adapter_config.json").is_file():
            hint = f"this is an adapter of peft: `PeftModel.from_pretrained(model, {path.parent})`"
        raise UsageError(f"there is no `{DESCRIPTION}` in `{path.parent}`", hint=hint)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        schema = data["schema"]
        if schema == SCHEMA:
            return Adapter.from_json(data)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"`{path}` is not an adapter of AutoPEFT", hint="export the trial again"
        ) from error
    raise UsageError(
        f"`{path}` has the format `{schema}`, not `{SCHEMA}`",
        hint="load it with the version of AutoPEFT that wrote it",
    )


def digests(
    model: Any, head: Sequence[str], added: torch.nn.Module | None = None
) -> dict[str, str]:
    """Digests of the frozen weights for every dtype that can be told from the model's own."""
    own = str(next(model.parameters()).dtype).removeprefix("torch.")
    names = (own,) if own in DTYPES[1:] else DTYPES
    return {name: digest_of(model, head, name, added=added) for name in names}


def digest_of(
    model: Any, head: Sequence[str], dtype: str, *, added: torch.nn.Module | None = None
) -> str:
    """Digest of the frozen weights as they are when held in that dtype.

    Args:
        model: with its head.
        head: paths of its modules that are not frozen.
        dtype: name of a torch dtype.
        added: the adapter, where the model has one.
    """
    import torch

    kind = getattr(torch, dtype)
    replaced = tuple(f"{path}." for path in head)
    inside = {id(parameter) for parameter in model.base_model.parameters()}
    inside -= {id(parameter) for parameter in added.parameters()} if added is not None else set()
    rows = [
        (name, list(p.shape), p.detach().flatten()[:SAMPLE].to(kind).float().tolist())
        for name, p in model.named_parameters()
        if id(p) in inside and not name.startswith(replaced)
    ]
    return digest.of_json(rows)
