"""Configurations in a few words."""

from __future__ import annotations

from autopeft.types import Backbone, Configuration, Placement, TrialRecord

SIZES = ("rank", "bottleneck", "length", "entries", "cut", "size")
"""Settings that give the size of a module; the first one present counts."""
SHIPPED = "shipped"
"""What a finished trial keeps of what it ships: parameters measured, and placements recorded."""
NAMED_ROLES = 2
"""Up to this many roles are named; more would not fit a table."""


def size_of(placement: Placement) -> int | None:
    """The size of a module, such as its rank; None when it has no such setting."""
    for name in SIZES:
        value = placement.settings.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def active(configuration: Configuration) -> list[Placement]:
    """The placements that train something: a size of 0 means off."""
    return [placement for placement in configuration.placements if size_of(placement) != 0]


def active_layers(configuration: Configuration) -> set[int]:
    """Indices of the layers that hold at least one module."""
    return {int(placement.site.split(".", 1)[0]) for placement in active(configuration)}


def as_shipped(trial: TrialRecord) -> Configuration:
    """The configuration as it ships where the trial has recorded that, else as it was trained."""
    if SHIPPED not in trial.provenance:
        return trial.configuration
    rate = trial.configuration.learning_rate
    recorded = {"placements": trial.provenance[SHIPPED], "learning_rate": rate}
    return Configuration.from_json(recorded)


def shown_as(trial: TrialRecord) -> str:
    """Which sizes `as_shipped` gives; empty where there are no others."""
    if SHIPPED in trial.provenance:
        return "as shipped"
    known = trial.state == "complete" and SHIPPED not in trial.measurements
    return "" if known else "as held while training"


def describe(configuration: Configuration, backbone: Backbone) -> str:
    """Modules and sizes, such as `lora 2-16 on query/value, prefix 6`; `head only` without any."""
    groups: dict[str, list[Placement]] = {}
    for placement in active(configuration):
        groups.setdefault(placement.module, []).append(placement)
    parts = [_module(name, groups[name], backbone) for name in sorted(groups)]
    return ", ".join(parts) or "head only"


def _module(name: str, placements: list[Placement], backbone: Backbone) -> str:
    sizes = {size for placement in placements if (size := size_of(placement)) is not None}
    words = [name]
    if sizes:
        low, high = min(sizes), max(sizes)
        words.append(str(low) if low == high else f"{low}-{high}")
    roles = _few_roles(placements, backbone)
    return " ".join([*words, f"on {roles}"] if roles else words)


def _few_roles(placements: list[Placement], backbone: Backbone) -> str:
    """The linear roles in use, such as `query/value`; empty when they are many or all."""
    used = {placement.site.split(".", 1)[1] for placement in placements if "." in placement.site}
    linears = {site.role: None for site in backbone.sites if site.kind == "linear"}
    chosen = [role for role in linears if role in used]
    if not chosen or len(chosen) > NAMED_ROLES or len(chosen) == len(linears):
        return ""
    return "/".join(role.rsplit(".", 1)[-1] for role in chosen)
