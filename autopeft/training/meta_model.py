"""A frozen model on the meta device: shapes without data, with as many layers as wanted."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from autopeft.training.memory_target import Target
from autopeft.training.quantised_linear import quantise
from autopeft.types import Backbone


@dataclass(frozen=True)
class MetaModel:
    """A model on the meta device, and its backbone."""

    model: Any
    backbone: Backbone


def whole(model: nn.Module, backbone: Backbone, target: Target) -> MetaModel:
    """All of the model."""
    return _quantised(MetaModel(_copied(model, target), backbone), target)


def repeated(
    model: nn.Module,
    backbone: Backbone,
    target: Target,
    *,
    layers: Sequence[int],
) -> MetaModel:
    """The model with only those of its layers, in that order; one may come several times."""
    short = _copied(_shortened(model, backbone, layers), target)
    stack = backbone.layers[0].rpartition(".")[0]
    sites = tuple(
        replace(
            site,
            layer=position,
            path=_moved(site.path, backbone.layers[layer], f"{stack}.{position}"),
            source=_moved(site.source, backbone.layers[layer], f"{stack}.{position}"),
            reader=_moved(site.reader, backbone.layers[layer], f"{stack}.{position}"),
        )
        for position, layer in enumerate(layers)
        for site in backbone.sites
        if site.layer == layer
    )
    paths = tuple(f"{stack}.{position}" for position in range(len(layers)))
    return _quantised(MetaModel(short, replace(backbone, layers=paths, sites=sites)), target)


def _moved(path: str, before: str, after: str) -> str:
    return after + path[len(before) :] if path else path


def _shortened(model: nn.Module, backbone: Backbone, layers: Sequence[int]) -> nn.Module:
    """A copy of the module tree on the same weights, with other layers in its stack."""
    memo: dict[int, Any] = {id(t): t for t in (*model.parameters(), *model.buffers())}
    memo |= {
        id(model.get_submodule(path)): nn.Identity()
        for index, path in enumerate(backbone.layers)
        if index not in layers
    }
    short: Any = copy.deepcopy(model, memo)
    stack = backbone.layers[0].rpartition(".")[0]
    kept = [short.get_submodule(backbone.layers[layer]) for layer in layers]
    shared: dict[int, Any] = {id(t): t for t in (*short.parameters(), *short.buffers())}
    shared[id(short.config)] = short.config
    owner, _, name = stack.rpartition(".")
    copies = nn.ModuleList(copy.deepcopy(layer, dict(shared)) for layer in kept)
    setattr(short.get_submodule(owner), name, copies)
    _describe(short.config, layers)
    result: nn.Module = short
    return result


def _describe(config: Any, layers: Sequence[int]) -> None:
    """Let the configuration say how many layers there are, and of what kind each is."""
    kinds = getattr(config, "layer_types", None)
    config.num_hidden_layers = len(layers)
    if kinds:
        config.layer_types = [kinds[layer] for layer in layers]


def _copied(model: nn.Module, target: Target) -> Any:
    """The module tree with a tensor without data in the place of every weight."""
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if isinstance(tensor, nn.Parameter):
            kind = target.dtype if tensor.is_floating_point() else tensor.dtype
            memo[id(tensor)] = nn.Parameter(_empty(tensor, kind), requires_grad=False)
        else:
            memo[id(tensor)] = _empty(tensor, tensor.dtype)
    return copy.deepcopy(model, memo).eval()


def _empty(tensor: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=kind, device="meta")


def _quantised(made: MetaModel, target: Target) -> MetaModel:
    """The same with its linears as the target keeps them."""
    if target.quantised:
        with torch.device("meta"):
            for path in made.backbone.layers:
                quantise(
                    made.model.get_submodule(path), bits=4 if target.precision == "4bit" else 8
                )
    return made
