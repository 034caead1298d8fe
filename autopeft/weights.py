"""Trained weights of the trials on the front, one file each beside the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def folder(study: Path) -> Path:
    """Where the weights of a study are."""
    return study.with_name(f"{study.name}.weights")


def file(study: Path, number: int) -> Path:
    """The weights of one trial."""
    return folder(study) / f"{number}.safetensors"


def save(
    study: Path, number: int, tensors: Mapping[str, torch.Tensor], note: Callable[[str], None]
) -> None:
    """Write the weights whole; a disk that refuses costs the weights, never the trial."""
    try:
        write(file(study, number), tensors)
    except OSError as error:
        note(f"the weights of trial {number} are not kept: {error.strerror or error}")


def write(
    target: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, str] | None = None
) -> None:
    """A whole file, or none.

    Raises:
        OSError: the disk refused.
    """
    from safetensors.torch import save as to_bytes

    partial = target.with_suffix(".partial")
    try:
        target.parent.mkdir(exist_ok=True)
        content = {name: tensor.contiguous() for name, tensor in tensors.items()}
        partial.write_bytes(to_bytes(content, dict(facts or {})))
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def keep(study: Path, numbers: Collection[int]) -> None:
    """Delete the weights of every other trial: they can be trained again."""
    if not folder(study).is_dir():
        return
    for found in folder(study).iterdir():
        if found.suffix == ".partial" or (found.stem.isdigit() and int(found.stem) not in numbers):
            found.unlink(missing_ok=True)


def load(study: Path, number: int) -> dict[str, torch.Tensor]:
    """The weights of a trial; empty when they were not kept or are damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file(study, number))
    except (OSError, SafetensorError):
        return {}
