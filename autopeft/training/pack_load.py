"""What a configuration asks of a pack: how deep it reaches, and how large its modules are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autopeft.training.pack import entry_layer
from autopeft.types import Backbone, Configuration, PeftModule


@dataclass(frozen=True)
class Load:
    """One configuration, as the planner sees it."""

    entry: int
    """First layer that it changes."""
    parameters: Mapping[tuple[str, str], int]
    """(site, module type) -> its parameters there."""

    @property
    def total(self) -> int:
        """All its parameters."""
        return sum(self.parameters.values())


@dataclass(frozen=True)
class Probe:
    """What one step of a pack showed of each of its configurations."""

    parameters: int
    memory: int
    """Bytes that it adds to the pack: weights, their training, and what the backward needs."""


def load_of(
    configuration: Configuration, backbone: Backbone, modules: Mapping[str, PeftModule]
) -> Load:
    """The load of a configuration."""
    parameters = {
        (p.site, p.module): modules[p.module].count(backbone.site(p.site), p.settings).parameters
        for p in configuration.placements
    }
    return Load(entry_layer(configuration, backbone), parameters)


def padded_parameters(pack: Sequence[Load]) -> int:
    """Parameters of each configuration of a pack once padded to the largest at every place."""
    places = {place for load in pack for place in load.parameters}
    return sum(max(load.parameters.get(place, 0) for load in pack) for place in places)
