"""Prefix tuning: trained keys and values before every layer's own (Li and Liang, ACL 2021).

Keys and values are trained directly, as they ship; the reparametrisation of the paper (arXiv
2101.00190) is not held. Positions are not shifted: a prefix has no position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from autopeft.training.packed_module import PackedModule, Undo, generators, sizes_of
from autopeft.types import Count, LearningRates, PeftModule, Settings, Site

IMPLEMENTATION = "autopeft_prefix"
ATTRIBUTE = "autopeft_prefix"


def count(site: Site, settings: Settings) -> Count:
    """2 l times the width of all keys of one token."""
    parameters = 2 * int(settings["length"]) * site.out_features
    return Count(parameters, parameters)


class PackedPrefix(PackedModule):
    """Keys and values [K, l, width]; padded positions are masked out of the attention."""

    keys: nn.Parameter
    values: nn.Parameter
    real: torch.Tensor

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(sizes_of(settings, "length"))
        keys, values = [], []
        for length, generator in zip(self.sizes, generators(site, "prefix", seeds), strict=True):
            drawn = 0.02 * torch.randn(2, length, site.out_features, generator=generator)
            keys.append(drawn[0])
            values.append(drawn[1])
        self.stack("keys", keys, padded=0)
        self.stack("values", values, padded=0)
        position = torch.arange(max(self.sizes))
        real = position < torch.tensor(self.sizes).unsqueeze(1)
        self.register_buffer("real", real, persistent=False)

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Let the attention of the site see this prefix."""
        attention: Any = model.get_submodule(site.path)
        setattr(attention, ATTRIBUTE, self)
        handles = [Undo(lambda: delattr(attention, ATTRIBUTE))]
        config: Any = model.config
        before = config._attn_implementation
        if before != IMPLEMENTATION:
            switch: Any = model.set_attn_implementation
            switch(IMPLEMENTATION)
            handles.append(Undo(lambda: switch(before)))
        return handles

    def narrow(self, inputs: torch.Tensor | None, outputs: torch.Tensor | None) -> None:
        """Drop the heads that the attention no longer has."""
        if outputs is not None:
            self.keys = nn.Parameter(self.keys.detach()[..., outputs])
            self.values = nn.Parameter(self.values.detach()[..., outputs])

    def rows(self, stacked: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Prefix [K, l, width] as keys or values of every row, [K*B, heads, l, width / heads]."""
        rows, heads, _, width = like.shape
        split = stacked.to(like.dtype).view(*stacked.shape[:2], heads, width).transpose(1, 2)
        return split.repeat_interleave(rows // self.count, dim=0)

    def mask(self, given: torch.Tensor, rows: int) -> torch.Tensor:
        """The mask with the prefix's columns before it, [K*B, heads, queries, l + keys]."""
        real = self.real.repeat_interleave(rows // self.count, dim=0)[:, None, None, :]
        if given.dtype != torch.bool:
            hidden = torch.finfo(given.dtype).min
            real = torch.zeros_like(real, dtype=given.dtype).masked_fill(~real, hidden)
        shape = (rows, given.shape[1], given.shape[2])
        return torch.cat([real.expand(*shape, -1), given.expand(*shape, -1)], dim=-1)


def _full_mask(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, causal: bool | None
) -> torch.Tensor:
    """The mask that the attention would apply by itself when it is given none."""
    causal = getattr(module, "is_causal", False) if causal is None else causal
    mask = query.new_ones(1, 1, query.shape[2], key.shape[2], dtype=torch.bool)
    return mask.tril(key.shape[2] - query.shape[2]) if causal and query.shape[2] > 1 else mask


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> Any:
    """Scaled dot-product attention of transformers, over the module's prefix and its own keys."""
    prefix: PackedPrefix | None = getattr(module, ATTRIBUTE, None)
    if prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    if attention_mask is None:
        attention_mask = _full_mask(module, query, key, options.get("is_causal"))
    mask = prefix.mask(attention_mask[..., : key.shape[2]], key.shape[0])
    if options.get("position_bias") is not None:
        options["position_bias"] = functional.pad(
            options["position_bias"], (mask.shape[-1] - key.shape[2], 0)
        )
    keys = torch.cat([prefix.rows(prefix.keys, key), key], dim=2)
    values = torch.cat([prefix.rows(prefix.values, value), value], dim=2)
    return sdpa_attention_forward(
        module, query, keys, values, mask, **{**options, "is_causal": False}
    )


AttentionInterface.register(IMPLEMENTATION, attention)
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)


def stack(site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]) -> PackedPrefix:
    """K configurations of the prefix at one attention."""
    return PackedPrefix(site, settings, seeds)


MODULE = PeftModule(
    label="Prefix",
    paper="arXiv 2101.00190",
    kind="attention",
    size="length",
    defaults={},
    count=count,
    stack=stack,
    mergeable=False,
    # Every query meets l more keys and values, and all heads together are as wide as the input.
    adds=lambda site, settings: 2 * int(settings["length"]) * site.in_features,
    learning_rates=LearningRates(
        low=1e-4,
        high=1e-2,
        source="5e-5 through a reparametrisation in prefix tuning (2101.00190), 5e-3 to 1e-2 "
        "without one in P-Tuning v2 (2110.07602)",
    ),
)
