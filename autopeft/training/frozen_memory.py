"""The frozen weights: their bytes, and which layers are equal."""

from __future__ import annotations

import torch
from torch import nn

from autopeft.training.memory_target import Target
from autopeft.training.quantised_linear import packed_bytes
from autopeft.types import Backbone


def frozen_bytes(model: nn.Module, backbone: Backbone, target: Target, block: int) -> int:
    """Bytes of weights and buffers at the target's precision, shared tensors counted once."""
    linears = _quantised(model, backbone) if target.quantised else {}
    bits = 4 if target.precision == "4bit" else 8
    tensors = {id(t): t for t in (*model.parameters(), *model.buffers())}
    total = 0
    for key, tensor in tensors.items():
        if key in linears:
            sizes: tuple[int, ...] = packed_bytes(linears[key], bits=bits)
        else:
            kind = target.dtype if _converted(tensor) else tensor.dtype
            sizes = (tensor.numel() * kind.itemsize,)
        total += sum(-(-size // block) * block for size in sizes)
    return total


def _converted(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) and tensor.is_floating_point()


def _quantised(model: nn.Module, backbone: Backbone) -> dict[int, nn.Linear]:
    """Linears of the layers by the identity of their weight."""
    return {
        id(module.weight): module
        for path in backbone.layers
        for module in model.get_submodule(path).modules()
        if isinstance(module, nn.Linear)
    }


def kinds_of(model: nn.Module, backbone: Backbone) -> tuple[int, ...]:
    """For each layer the index of the first one that is built alike."""
    types = getattr(getattr(model, "config", None), "layer_types", None)
    first: dict[object, int] = {}
    kinds = []
    for index, path in enumerate(backbone.layers):
        layer = model.get_submodule(path)
        built = (
            tuple((name, type(module)) for name, module in layer.named_modules()),
            tuple((name, tuple(p.shape)) for name, p in layer.named_parameters()),
            types[index] if types and len(types) == len(backbone.layers) else "",
        )
        kinds.append(first.setdefault(built, index))
    return tuple(kinds)
