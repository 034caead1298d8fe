"""A model without the heads and neurons that its adapter has cut: smaller linears, same outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autopeft.adapters.loading import pack_of
from autopeft.errors import UsageError

if TYPE_CHECKING:
    import torch

    from autopeft.training.masks import PackedMasks
    from autopeft.training.pack import Pack
    from autopeft.types import Site

FAMILIES = ("bert", "gpt2", "llama", "qwen3", "roberta")
"""Model types whose attention takes the number of its heads from the width of its linears."""
ROWS = ("attention.query", "attention.key", "attention.value", "attention.qkv")


@dataclass(frozen=True)
class _Edit:
    """A linear that loses inputs or outputs; None where all stay."""

    site: Site
    inputs: torch.Tensor | None = None
    outputs: torch.Tensor | None = None


def resize(model: torch.nn.Module) -> torch.nn.Module:
    """The model itself, its linears and the modules on them without what is cut.

    It computes what it computed before, in less time and memory, but cannot be saved as an adapter
    of its base model any more: see `save_resized`.

    Args:
        model: as `attach` or `load` gave it, its masks cut.

    Raises:
        UsageError: its family cannot be resized, its masks are not cut yet, or something on a
            linear cannot follow.
    """
    import torch

    from autopeft.training.masks import PackedMasks

    pack = pack_of(model)
    masks = {key: layer for key, layer in pack.layers.items() if isinstance(layer, PackedMasks)}
    family = str(getattr(model.config, "model_type", ""))
    if family not in FAMILIES:
        raise UsageError(
            f"models of the family `{family}` cannot be resized",
            hint=f"those of {', '.join(FAMILIES)} can; in others what is cut stays masked",
        )
    edits = [
        edit
        for key, layer in masks.items()
        if not layer.resized
        for edit in _edits(pack, pack.sites[key], _kept(layer, pack.sites[key]))
    ]
    _check(model, pack, edits)
    with torch.no_grad():
        for edit in edits:
            _apply(model, pack, edit)
    for layer in masks.values():
        layer.resized = True
    return model


def _check(model: Any, pack: Pack, edits: Sequence[_Edit]) -> None:
    """UsageError when something cannot follow, before anything has changed."""
    from autopeft.training.packed_module import PackedModule

    for edit in edits:
        if edit.site.kind == "linear" and not (
            model.get_submodule(edit.site.path).weight.is_floating_point()
        ):
            raise UsageError(
                f"the linear at `{edit.site.name}` is quantised and cannot be resized",
                hint="load the base model without quantisation",
            )
        for layer in _on(pack, edit.site):
            if type(layer).narrow is PackedModule.narrow:
                layer.narrow(edit.inputs, edit.outputs)


def _on(pack: Pack, site: Site) -> list[Any]:
    """The modules at a site, but for masks."""
    from autopeft.training.masks import PackedMasks

    return [
        layer
        for key, layer in pack.layers.items()
        if pack.sites[key].name == site.name and not isinstance(layer, PackedMasks)
    ]


def _kept(layer: PackedMasks, site: Site) -> torch.Tensor:
    """Numbers of the parts that stay."""
    import torch

    masks = layer.masks.detach()[0]
    if not torch.isin(masks, torch.tensor([0.0, 1.0]).to(masks)).all():
        raise UsageError(
            f"the masks at `{site.name}` are not cut yet", hint="train the model first"
        )
    return torch.nonzero(masks).flatten()


def _edits(pack: Pack, site: Site, kept: torch.Tensor) -> Iterator[_Edit]:
    """What changes when only those parts of a site stay."""
    linears = [s for s in pack.backbone.sites if s.kind == "linear" and s.layer == site.layer]
    reader = next(linear for linear in linears if linear.path == site.reader)
    read = _columns(kept, reader.in_features // site.parts)
    yield _Edit(reader, inputs=read)
    if site.kind == "mlp":
        for linear in linears:
            if linear.role in ("mlp.up", "mlp.gate"):
                yield _Edit(linear, outputs=read)
        return
    keys = _columns(kept, site.out_features // site.parts)
    yield _Edit(site, outputs=keys)
    for linear in linears:
        if linear.role in ROWS:
            yield _Edit(linear, outputs=_rows(linear, site, read, keys))


def _rows(linear: Site, site: Site, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """The outputs of a projection that stay; a fused one gives queries, keys and values in turn."""
    import torch

    if linear.role == "attention.query":
        return queries
    if linear.role != "attention.qkv":
        return keys
    first = linear.out_features - 2 * site.out_features
    return torch.cat([queries, first + keys, first + site.out_features + keys])


def _columns(kept: torch.Tensor, width: int) -> torch.Tensor:
    import torch

    return (kept.unsqueeze(1) * width + torch.arange(width, device=kept.device)).flatten()


def _apply(model: Any, pack: Pack, edit: _Edit) -> None:
    module = model.get_submodule(edit.site.path)
    if edit.site.kind == "linear":
        _narrow(module, edit.inputs, edit.outputs)
    elif hasattr(module, "split_size") and edit.outputs is not None:
        module.split_size = len(edit.outputs)
    for layer in _on(pack, edit.site):
        layer.narrow(edit.inputs, edit.outputs)


def _narrow(linear: Any, inputs: torch.Tensor | None, outputs: torch.Tensor | None) -> None:
    """Keep some inputs or outputs of a linear, whose weight may be [out, in] or [in, out]."""
    from torch import nn

    lies = not isinstance(linear, nn.Linear)
    weight = linear.weight.T if lies else linear.weight
    weight = weight if outputs is None else weight[outputs]
    weight = weight if inputs is None else weight[:, inputs]
    if outputs is not None and linear.bias is not None:
        linear.bias = nn.Parameter(linear.bias[outputs], requires_grad=False)
    linear.weight = nn.Parameter((weight.T if lies else weight).contiguous(), requires_grad=False)
    if lies:
        linear.nx, linear.nf = linear.weight.shape
    else:
        linear.out_features, linear.in_features = linear.weight.shape
