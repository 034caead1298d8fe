"""Search PEFT configurations: accuracy against trainable parameters and peak memory."""

from typing import Any

__version__ = "0.1.0"

_FROM_LOADING = ("attach", "load", "save")


def __getattr__(name: str) -> Any:
    """Adapters on models: `load`, `attach` and `save`, imported when first used."""
    if name not in _FROM_LOADING:
        raise AttributeError(f"module `autopeft` has no attribute `{name}`")
    from autopeft import loading

    return getattr(loading, name)
