"""The sites of one layer: its linears, self-attentions, feed-forward, its output and all of it."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft.sites.roles import role_of
from autopeft.types import Family, Site

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class _Linear:
    """A linear of one layer: its role, and a suffix that tells it from others of that role."""

    path: str
    role: str
    suffix: str
    in_features: int
    out_features: int


def sites_of_layer(
    index: int,
    path: str,
    *,
    modules: Mapping[str, torch.nn.Module],
    family: Family,
    hidden_size: int,
) -> list[Site]:
    """All sites of the layer at `path`; none when it has no linear to adapt.

    `modules` are all modules of the backbone by path. `hidden_size` is the layer's width where
    its own linears do not tell it.
    """
    linears = _linears(path, modules, family)
    if not linears:
        return []
    width = _width(linears) or hidden_size or linears[0].in_features
    return [
        *(_linear_site(index, linear) for linear in linears),
        *_attention_sites(index, linears, modules),
        *_mlp_sites(index, linears),
        Site(index, "layer", "layer", path, width, width),
        Site(index, "whole_layer", "whole_layer", path, width, width),
    ]


def is_linear(module: torch.nn.Module) -> bool:
    """Whether the module multiplies by a matrix, in either of the two layouts in use."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, Linear | Conv1D)


# --- Linears ----------------------------------------------------------------------------------


def _linears(layer: str, modules: Mapping[str, torch.nn.Module], family: Family) -> list[_Linear]:
    """The linears of a layer in module order, with their roles."""
    inner = {
        path.removeprefix(f"{layer}."): module
        for path, module in modules.items()
        if path.startswith(f"{layer}.") and is_linear(module)
    }
    roles = {path: _role(path, family) for path in inner if not _is_ignored(path, family)}
    times = Counter(roles.values())
    linears = []
    for path, role in roles.items():
        suffix = f".{path}" if times[role] > 1 else ""
        linears.append(_Linear(f"{layer}.{path}", role, suffix, *_shape(inner[path])))
    return linears


def _is_ignored(path: str, family: Family) -> bool:
    return any(re.fullmatch(pattern, path) for pattern in family.ignore)


def _role(path: str, family: Family) -> str:
    """Role of the linear at `path` within its layer; the family's word goes first."""
    for pattern, role in family.roles.items():
        if re.fullmatch(pattern, path):
            return role
    return role_of(path)


def _shape(module: torch.nn.Module) -> tuple[int, int]:
    """Input and output width. The weight of `Conv1D` is [in, out], that of `Linear` [out, in]."""
    from torch.nn import Linear

    if isinstance(module, Linear):
        return module.in_features, module.out_features
    rows, columns = module.get_parameter("weight").shape
    return rows, columns


def _width(linears: Sequence[_Linear]) -> int:
    """Width of the layer's output as its last linears tell it, or 0."""
    widths = {linear.role: linear.out_features for linear in linears}
    return widths.get("mlp.down", 0) or widths.get("attention.output", 0)


def _of_role(linears: Sequence[_Linear], *roles: str) -> list[_Linear]:
    return [linear for linear in linears if linear.role in roles]


# --- Sites ------------------------------------------------------------------------------------


def _linear_site(index: int, linear: _Linear) -> Site:
    role = linear.role + linear.suffix
    return Site(index, role, "linear", linear.path, linear.in_features, linear.out_features)


def _attention_sites(
    index: int, linears: Sequence[_Linear], modules: Mapping[str, torch.nn.Module]
) -> list[Site]:
    """One site per self-attention that calls the attention interface of transformers."""
    sites = []
    for linear in _of_role(linears, "attention.key", "attention.qkv"):
        owner = linear.path.rpartition(".")[0]
        if _calls_interface(modules[owner]):
            role, keys = f"attention{linear.suffix}", _key_width(linear, linears)
            sites.append(Site(index, role, "attention", owner, linear.in_features, keys))
    return sites


def _key_width(linear: _Linear, linears: Sequence[_Linear]) -> int:
    """Width of all keys of one token.

    A fused projection gives queries, keys and values; the queries are as wide as the input of the
    output projection, and the keys share the rest with the values.
    """
    if linear.role == "attention.key":
        return linear.out_features
    outputs = _of_role(linears, "attention.output")
    if len(outputs) != 1:
        return linear.out_features // 3
    return (linear.out_features - outputs[0].in_features) // 2


def _calls_interface(module: torch.nn.Module) -> bool:
    """Whether the module's forward looks its attention function up in transformers' registry."""
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    return code is not None and "ALL_ATTENTION_FUNCTIONS" in code.co_names


def _mlp_sites(index: int, linears: Sequence[_Linear]) -> list[Site]:
    """The feed-forward sublayer, unless its two ends are missing or ambiguous."""
    ups, downs = _of_role(linears, "mlp.up", "mlp.gate"), _of_role(linears, "mlp.down")
    if not ups or len(downs) != 1:
        return []
    up, down = ups[0], downs[0]
    return [Site(index, "mlp", "mlp", down.path, up.in_features, down.out_features, source=up.path)]
