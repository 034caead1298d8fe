"""Scores -> placements: which method's scores, which allocator, and tweaks per block of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autopeft import catalog
from autopeft.budget import count
from autopeft.errors import UsageError
from autopeft.types import Backbone, Configuration, Placement, Scores, Settings, Value

BY = "by"
METHOD = "method"
MIXTURE = "mixture"
BLOCK = "block"
MIXED_BY = "ranks"
"""The allocator of mixtures."""
OWN = (BY, METHOD, MIXTURE, BLOCK)
"""Settings that are read here; every other one goes to the allocator that knows it."""


def allocate(
    scores: Sequence[Scores], backbone: Backbone, budget: int, settings: Settings
) -> tuple[Placement, ...]:
    """Placements that are never above the budget.

    Args:
        scores: of one method or of several.
        backbone: its layers and sites.
        budget: in parameters.
        settings: `method` picks one of the scores by name; `mixture` is the share of the second
            in a mixture of two; `by` names an allocator instead of the method's own; `block[...]`
            multiplies the scores of a block of layers; others are the allocator's.

    Raises:
        UsageError: a setting is unknown or out of range.
        AutoPeftError: the allocator went above the budget.
    """
    chosen = blended(scores, settings)
    name = str(settings.get(BY) or _own_allocator(chosen))
    allocator = catalog.allocators.load(name)
    known = {key: value for key, value in settings.items() if key in allocator.defaults}
    tweaked = _tweaked(chosen, backbone, settings)
    placed = allocator.allocate(tweaked, backbone, budget, known)
    assert parameters(placed, backbone) <= max(budget, 0), name
    return placed


def parameters(placements: Sequence[Placement], backbone: Backbone) -> int:
    """Parameters of what allocators place; a budget less this is an allocation's slack."""
    modules = {name: catalog.modules.load(name) for name in {p.module for p in placements}}
    return count(Configuration(tuple(placements), 0.0), backbone, modules).parameters


def _own_allocator(scores: Scores) -> str:
    return (
        MIXED_BY if scores.method == MIXTURE else catalog.importance.load(scores.method).allocator
    )


def known_settings(methods: Sequence[str]) -> set[str]:
    """Every setting that means something to at least one allocator of those methods."""
    names = set(catalog.allocators.names())
    found = {key for name in names for key in catalog.allocators.load(name).defaults}
    return found | set(OWN) if methods else set()


def blended(scores: Sequence[Scores], settings: Settings) -> Scores:
    """The scores that the settings mean: one method's, or a mixture of shares of the total."""
    if not scores:
        raise UsageError("there are no scores to allocate by")
    if METHOD in settings:
        named = {one.method: one for one in scores}
        if settings[METHOD] not in named:
            hint = f"there are scores of {', '.join(named)}"
            raise UsageError(f"no scores of the method `{settings[METHOD]}`", hint=hint)
        return named[str(settings[METHOD])]
    second = float(settings.get(MIXTURE, 0.0))
    if second == 0 or len(scores) == 1:
        return scores[0]
    if second == 1:
        return scores[1]
    shares = [_shares(one) for one in scores[:2]]
    mixed = {
        name: (1 - second) * value + second * shares[1].get(name, 0.0)
        for name, value in shares[0].items()
    }
    # Ranks and histograms of one method say nothing about the mixture.
    return Scores(MIXTURE, mixed, {"methods": [one.method for one in scores[:2]]})


def _shares(scores: Scores) -> dict[str, float]:
    total = sum(scores.site.values())
    return {name: value / total if total else 0.0 for name, value in scores.site.items()}


def _tweaked(scores: Scores, backbone: Backbone, settings: Settings) -> Scores:
    """The scores times the factor of each site's block of layers."""
    factors = _block_factors(settings)
    if not factors or set(factors) == {1.0}:
        return scores
    depth = len(backbone.layers)
    layer_of = {site.name: site.layer for site in backbone.sites}
    of_site = {name: factors[layer_of[name] * len(factors) // depth] for name in scores.site}
    site = {name: value * of_site[name] for name, value in scores.site.items()}
    rank = {name: [v * of_site[name] for v in values] for name, values in scores.rank.items()}
    return replace(scores, site=site, rank=rank)


def _block_factors(settings: Mapping[str, Value]) -> list[float]:
    """Factors in the order of the blocks, from settings such as `block[block 0]`."""
    named = {key: float(value) for key, value in settings.items() if key.startswith(f"{BLOCK}[")}
    return [named[key] for key in sorted(named, key=lambda key: int(key.rstrip("]").split()[-1]))]
