"""What of a site can be cut: the heads of an attention, the neurons of a feed-forward sublayer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autopeft.errors import UsageError
from autopeft.types import Site


def with_parts(sites: Sequence[Site], config: Any) -> tuple[Site, ...]:
    """The sites with their parts, as far as the model's configuration tells them."""
    width = _head_width(config)
    linears = [site for site in sites if site.kind == "linear"]
    return tuple(
        _with_parts(site, [one for one in linears if one.layer == site.layer], width)
        for site in sites
    )


def known_parts(site: Site) -> int:
    """Number of parts of a site.

    Raises:
        UsageError: it is unknown.
    """
    if not site.parts:
        raise UsageError(
            f"nothing of `{site.name}` can be cut: the model's configuration does not say how wide "
            "its heads are",
            hint="leave `cut_heads` and `cut_neurons` out of the space",
        )
    return site.parts


def _head_width(config: Any) -> int:
    """Width of one attention head; 0 when it is unknown."""
    given = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
    if given:
        return int(given)
    width = getattr(config, "hidden_size", None) or 0
    heads = getattr(config, "num_attention_heads", None) or 0
    if not (isinstance(width, int) and isinstance(heads, int) and heads) or width % heads:
        return 0
    return width // heads


def _with_parts(site: Site, linears: Sequence[Site], width: int) -> Site:
    if site.kind == "mlp":
        down = next(linear for linear in linears if linear.path == site.path)
        return replace(site, parts=down.in_features, reader=down.path)
    readers = [linear for linear in linears if linear.role == "attention.output"]
    if site.kind != "attention" or len(readers) != 1 or not width or site.out_features % width:
        return site
    heads = site.out_features // width
    # Query heads that share a key and a value are cut together.
    if readers[0].in_features % (heads * width):
        return site
    return replace(site, parts=heads, reader=readers[0].path)
