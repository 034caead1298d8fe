"""Gradient checkpointing of the frozen layers (Chen et al., 2016, arXiv 1604.06174)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from autopeft.errors import UsageError
from autopeft.types import Backbone


@contextmanager
def checkpointed(
    model: Any,
    backbone: Backbone,
    wanted: bool = True,
    *,
    again: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[None]:
    """The model keeping only what each layer reads, and computing layers again when needed.

    The switch of transformers is not used: it makes the embeddings' output require a gradient, and
    then every layer below the lowest adapted one is kept too. Only the layer itself is put in
    training mode, not what is inside, so that no dropout is drawn and no random state kept.

    Args:
        model: the frozen base.
        backbone: its layers.
        wanted: whether to do so at all.
        again: makes the context in which a layer is computed the second time.

    Raises:
        UsageError: the model's layers cannot be checkpointed.
    """
    layers = [model.get_submodule(path) for path in backbone.layers] if wanted else []
    if not all(hasattr(layer, "gradient_checkpointing") for layer in layers):
        hint = "leave out `--gradient-checkpointing`"
        raise UsageError(f"layers of `{backbone.name}` cannot be checkpointed", hint=hint)
    try:
        for layer in layers:
            _switch(layer, True, again)
        yield
    finally:
        for layer in layers:
            _switch(layer, False, again)


def _switch(layer: Any, on: bool, again: Callable[[], AbstractContextManager[Any]]) -> None:
    from torch.utils.checkpoint import checkpoint

    layer.gradient_checkpointing = layer.training = on
    layer._gradient_checkpointing_func = partial(
        checkpoint,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), again()),
    )
