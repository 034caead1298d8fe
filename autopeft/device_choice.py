"""Where a study trains, and in which type its frozen weights are held."""

from __future__ import annotations

from autopeft import catalog
from autopeft.errors import MissingError, UsageError

DTYPES = ("bfloat16", "float16", "float32", "float64")


def choose_device(name: str) -> str:
    """The named device, or the best there is.

    Raises:
        UsageError: no such device is known.
        MissingError: it is not on this machine.
    """
    import torch

    if not name:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise UsageError(f"unknown device `{name}`", hint="use `cpu`, `cuda` or `cuda:0`")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise MissingError(
            f"there is no `{name}` here", hint="`autopeft doctor` shows what there is"
        )
    return name


def choose_dtype(name: str, device: str) -> str:
    """The named type of the frozen weights, or the device's default.

    Raises:
        UsageError: no such type can be trained on.
    """
    if not name:
        return "float32" if device == "cpu" else "bfloat16"
    if name not in DTYPES:
        raise catalog.unknown("dtype", name, list(DTYPES))
    return name
