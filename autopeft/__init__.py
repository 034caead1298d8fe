"""Search PEFT configurations: accuracy against trainable parameters and peak memory."""

from typing import Any

__version__ = "0.1.0"

_LATE = {
    "attach": "adapters.loading",
    "load": "adapters.loading",
    "save": "adapters.loading",
    "methods": "adapters.trainer",
    "resize": "adapters.resizing",
    "save_resized": "adapters.resized_file",
    "load_resized": "adapters.resized_file",
}
"""Name -> the module that it is imported from when first used."""


def __getattr__(name: str) -> Any:
    """Adapters on models: `load`, `attach`, `save` and `resize`; `save_resized` and `load_resized`
    for what that gives; `methods` for a trainer."""
    if name not in _LATE:
        raise AttributeError(f"module `autopeft` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(f"autopeft.{_LATE[name]}"), name)
