"""A pretrained model as layers x sites, found in its module tree and not by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from autopeft.errors import UsageError
from autopeft.sites.layer_sites import is_linear, sites_of_layer
from autopeft.sites.parts import with_parts
from autopeft.types import Backbone, Family

if TYPE_CHECKING:
    import torch

Modules = Mapping[str, "torch.nn.Module"]
"""Modules by path, parents before children."""


def discover(model: torch.nn.Module, families: Mapping[str, Family], *, name: str) -> Backbone:
    """The layers, sites and sizes of a model, which may be on the meta device.

    Paths are relative to `model`. The layers of an encoder come before those of its decoder.
    Raises UsageError when no layer has a linear.
    """
    base = getattr(model, "base_model", model)
    prefix = next(path for path, module in model.named_modules() if module is base)
    modules = dict(base.named_modules(prefix=prefix))
    config = getattr(model, "config", None)
    family = str(getattr(config, "model_type", type(model).__name__))
    hidden_size = int(getattr(config, "hidden_size", None) or 0)
    layers = _marked_layers(modules) or _listed_layers(modules)
    piece = _family_piece(family, families)
    sites = tuple(
        site
        for index, path in enumerate(layers)
        for site in sites_of_layer(
            index, path, modules=modules, family=piece, hidden_size=hidden_size
        )
    )
    if not sites:
        raise UsageError(
            f"The model `{name}` ({family}) has no stack of layers with linears to adapt.",
            hint="Choose a model that is built of repeated layers, such as a transformer.",
        )
    sites = with_parts(sites, config)
    parameters, head = _sizes(model, base)
    hidden_size = hidden_size or sites[-1].out_features
    return Backbone(name, family, layers, sites, hidden_size, parameters, head)


def _family_piece(model_type: str, families: Mapping[str, Family]) -> Family:
    """The family that claims the model type, or one that overrides nothing."""
    for family in families.values():
        if model_type in family.model_types:
            return family
    return Family(model_type, (model_type,))


def _sizes(model: torch.nn.Module, base: torch.nn.Module) -> tuple[int, int]:
    """Parameters of the backbone and of the rest, each shared tensor counted once."""
    inside = set(base.parameters())
    head = sum(p.numel() for p in model.parameters() if p not in inside)
    return sum(p.numel() for p in inside), head


# --- Layers -----------------------------------------------------------------------------------


def _marked_layers(modules: Modules) -> tuple[str, ...]:
    """The innermost layers that transformers marks for gradient checkpointing."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    marked = [
        path
        for path, module in modules.items()
        if isinstance(module, GradientCheckpointingLayer) and _has_linear(module)
    ]
    # A hierarchical model marks its stages as well as the layers in them.
    return tuple(path for path in marked if not any(_is_below(other, path) for other in marked))


def _listed_layers(modules: Modules) -> tuple[str, ...]:
    """The children of the outermost lists of equal modules."""
    stacks: list[str] = []
    for path, module in modules.items():
        if _is_stack(module) and not any(_is_below(path, stack) for stack in stacks):
            stacks.append(path)
    return tuple(
        path for path in modules if path.rpartition(".")[0] in stacks and _has_linear(modules[path])
    )


def _is_stack(module: torch.nn.Module) -> bool:
    """Whether the module is a list of modules of one class with linears inside them."""
    from torch.nn import ModuleList

    if not isinstance(module, ModuleList):
        return False
    classes = {type(child) for child in module}
    return len(classes) == 1 and _has_linear(module) and not any(map(is_linear, module))


def _has_linear(module: torch.nn.Module) -> bool:
    return any(map(is_linear, module.modules()))


def _is_below(path: str, ancestor: str) -> bool:
    return path.startswith(f"{ancestor}.")
