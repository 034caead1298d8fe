"""Family defaults: what a careful user would have run without a search. Always tried first.

Sizes follow the papers' and peft's defaults; where one is over the budget, the largest size that
fits is used, and its name says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from autopeft import budget, digest
from autopeft.types import Backbone, Configuration, PeftModule, Placement, Site

LEARNING_RATE = 3e-3
"""Of every default: proxies are short, and need more than the rates of long runs."""
LONG_RUN_RATE = 1e-3
"""The usual rate of a long run; tried as well, as the rate outweighs the choice of module."""


@dataclass(frozen=True)
class Baseline:
    """A default configuration with a name that says what it is."""

    label: str
    configuration: Configuration


@dataclass(frozen=True)
class Default:
    """What a family of modules is usually run with."""

    name: str
    label: str
    """With a place for the size."""
    module: str
    size: int
    where: Callable[[Site, int], bool]
    """(site, layers of the backbone) -> whether it is adapted."""
    source: str
    learning_rate: float = LEARNING_RATE


QUERY_VALUE = ("attention.query", "attention.value", "attention.qkv")
DEFAULTS = (
    Default(
        "lora_query_value",
        "LoRA r={} on q,v",
        "lora",
        8,
        lambda s, depth: s.role in QUERY_VALUE,
        "rank and sites of peft's LoraConfig and of LoRA's GLUE runs (2106.09685)",
    ),
    Default(
        "lora_query_value_long",
        "LoRA r={} on q,v, rate 1e-3",
        "lora",
        8,
        lambda s, depth: s.role in QUERY_VALUE,
        "the same at the upper end of what long runs use (AdaLoRA, 2303.10512)",
        LONG_RUN_RATE,
    ),
    Default(
        "lora_all",
        "LoRA r={} on all linears",
        "lora",
        8,
        lambda s, depth: True,
        'sites of QLoRA (2305.14314) and of peft\'s "all-linear"',
    ),
    Default(
        "lora_upper",
        "LoRA r={} on q,v of the upper half",
        "lora",
        8,
        lambda s, depth: s.role in QUERY_VALUE and s.layer >= depth // 2,
        "ours: what saves memory when the usual default does not fit",
    ),
    Default(
        "serial_adapter",
        "serial adapter m={}",
        "serial_adapter",
        48,
        lambda s, depth: True,
        "AdapterFusion (2005.00247) as the baseline of AutoPEFT (2301.12132), reduction 16",
    ),
)


def baselines(
    backbone: Backbone,
    modules: Mapping[str, PeftModule],
    *,
    limit: float,
) -> list[Baseline]:
    """The defaults that this backbone can hold within `limit` parameters, and the head alone."""
    found: dict[str, Baseline] = {}
    for default in DEFAULTS:
        for size in _sizes(default.size):
            one = _build(default, size, backbone, modules)
            placed = bool(one.configuration.placements)
            if placed and budget.count(one.configuration, backbone, modules).parameters <= limit:
                found.setdefault(digest.of_configuration(one.configuration), one)
                break
    alone = Baseline("head only", Configuration((), LEARNING_RATE))
    return [*found.values(), alone]


def _sizes(size: int) -> Iterator[int]:
    while size:
        yield size
        size //= 2


def _build(
    default: Default,
    size: int,
    backbone: Backbone,
    modules: Mapping[str, PeftModule],
) -> Baseline:
    piece = modules[default.module]
    settings = {**piece.defaults, piece.size: size}
    placements = tuple(
        Placement(site.name, default.module, settings)
        for site in backbone.sites
        if site.kind == piece.kind and default.where(site, len(backbone.layers))
    )
    return Baseline(default.label.format(size), Configuration(placements, default.learning_rate))
