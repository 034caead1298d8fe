"""The trainable head of each configuration: every weight that did not come with the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from autopeft import digest
from autopeft.errors import AutoPeftError
from autopeft.training.packed_module import Undo

STANDARD_DEVIATION = 0.02


class PackedHead(nn.Module):
    """K copies of the head's linears and norms, each drawn from its configuration's own seed.

    Raises:
        AutoPeftError: the head has a kind of layer that cannot be stacked.
    """

    def __init__(self, model: nn.Module, paths: Sequence[str], seeds: Sequence[int]) -> None:
        super().__init__()
        self.paths = tuple(paths)
        self.count = len(seeds)
        for path in paths:
            layer = model.get_submodule(path)
            if not isinstance(layer, (nn.Linear, nn.LayerNorm)):
                kind = type(layer).__name__
                raise AutoPeftError(f"the head's `{path}` is a `{kind}`, which cannot be packed")
            for name, parameter in layer.named_parameters():
                drawn = [_initial(layer, parameter, seed, f"{path}.{name}") for seed in seeds]
                self.register_parameter(_key(path, name), nn.Parameter(torch.stack(drawn)))

    def attach(self, model: nn.Module) -> list[Any]:
        """Let each configuration's rows pass through its own head."""
        return [self._replace(model.get_submodule(path), path) for path in self.paths]

    def _replace(self, layer: nn.Module, path: str) -> Undo:
        run = self._linear if isinstance(layer, nn.Linear) else self._norm
        object.__setattr__(layer, "forward", lambda hidden: run(layer, path, hidden))
        return Undo(lambda: object.__delattr__(layer, "forward"))

    def _stacked(self, path: str, name: str, like: torch.Tensor) -> torch.Tensor | None:
        parameter = self._parameters.get(_key(path, name))
        return None if parameter is None else parameter.to(like.dtype)

    def _linear(self, layer: nn.Module, path: str, hidden: torch.Tensor) -> torch.Tensor:
        weight = self._stacked(path, "weight", hidden)
        bias = self._stacked(path, "bias", hidden)
        assert weight is not None
        rows = hidden.reshape(self.count, -1, hidden.shape[-1])
        out = torch.bmm(rows, weight.transpose(1, 2))
        out = out if bias is None else out + bias.unsqueeze(1)
        return out.view(*hidden.shape[:-1], -1)

    def _norm(self, layer: Any, path: str, hidden: torch.Tensor) -> torch.Tensor:
        normal = nn.functional.layer_norm(hidden, layer.normalized_shape, eps=layer.eps)
        rows = normal.reshape(self.count, -1, hidden.shape[-1])
        weight, bias = (self._stacked(path, name, hidden) for name in ("weight", "bias"))
        rows = rows if weight is None else rows * weight.unsqueeze(1)
        rows = rows if bias is None else rows + bias.unsqueeze(1)
        return rows.view(hidden.shape)

    def export(self, index: int) -> dict[str, torch.Tensor]:
        """Path of each head weight in the model -> its tensor, on the CPU."""
        return {
            name.replace("|", "."): parameter.detach()[index].cpu().clone()
            for name, parameter in self.named_parameters()
        }

    def restore(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `export`."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter[index].copy_(tensors[name.replace("|", ".")])


def _key(path: str, name: str) -> str:
    return f"{path}.{name}".replace(".", "|")


def _initial(layer: nn.Module, like: nn.Parameter, seed: int, name: str) -> torch.Tensor:
    if isinstance(layer, nn.LayerNorm):
        return torch.ones(like.shape) if name.endswith("weight") else torch.zeros(like.shape)
    if name.endswith("bias"):
        return torch.zeros(like.shape)
    generator = torch.Generator().manual_seed(digest.seed_of(seed, "head", name))
    return STANDARD_DEVIATION * torch.randn(like.shape, generator=generator)
