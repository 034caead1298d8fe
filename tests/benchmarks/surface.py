"""Synthetic accuracy surfaces over real search spaces: what a benchmark of samplers searches.

A surface gives every site a log-normal importance (a few matter, most do not), every module a gain
that is concave in its size, pairs of sites some redundancy or synergy, and sizes beyond half of the
budget a mild loss; accuracy runs from 0.58 without modules to about 0.79. The first objective is
that accuracy plus Gaussian noise, the second the parameters, counted exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autopeft import catalog
from autopeft.space import expansion
from autopeft.space.space import Space
from autopeft.space.spec import parse
from autopeft.types import Backbone, Placement, Site, SiteKind

FLOOR, RISE = 0.58, 0.21
NOISE = 0.007
CURVATURE = 0.35
"""Share of the largest size at which a module has given 63 % of what it can give."""
RANKS = """
name: {name}
modules: {{lora: {{scaling: 2.0}}}}
dimensions:
  lora.rank: {{choice: [0, 1, 2, 4, 8, 16, 32], per: site}}
  learning_rate: {{choice: [1.0e-3]}}
"""
SWITCHES = """
name: {name}
modules:
  serial_adapter: {{}}
  parallel_adapter: {{scaling: 4.0}}
  prefix: {{}}
dimensions:
  active: {{choice: [false, true], per: layer}}
  serial_adapter.bottleneck: &sizes {{choice: [0, 1, 4, 8, 16, 32, 64, 128, 256, 512, 1024]}}
  parallel_adapter.bottleneck: *sizes
  prefix.length: *sizes
  learning_rate: {{choice: [1.0e-3]}}
"""


@dataclass(frozen=True)
class Shape:
    """The size of a surface."""

    text: str
    layers: int
    linears: int
    share: float
    """Of the largest configuration's parameters that the budget allows."""


SHAPES = {
    "autopeft27": Shape(SWITCHES, 24, 6, 0.25),
    "rank60": Shape(RANKS, 12, 5, 0.3),
    "rank150": Shape(RANKS, 25, 6, 0.3),
}
ROLES = ("attention.query", "attention.key", "attention.value", "attention.output")
ROLES_OF_MLP = ("mlp.up", "mlp.down")
WIDTH = 1024


def backbone(layers: int, linears: int) -> Backbone:
    """A transformer's sites without a transformer; with five linears there is no `key`."""
    attention = [role for role in ROLES if linears > 5 or role != "attention.key"]
    sites = []
    for layer in range(layers):
        for role in (*attention, *ROLES_OF_MLP, "attention", "mlp", "layer"):
            wide, narrow = (4 * WIDTH, WIDTH) if role in ROLES_OF_MLP else (WIDTH, WIDTH)
            kind: SiteKind = role if "." not in role else "linear"  # type: ignore[assignment]
            path = f"layers.{layer}.{role}"
            sites.append(Site(layer, role, kind, path, narrow, wide))
    names = tuple(f"layers.{layer}" for layer in range(layers))
    return Backbone("surface", "surface", names, tuple(sites), WIDTH, 300_000_000)


class Surface:
    """Accuracy as a function of the value indices, for many points at once."""

    def __init__(self, name: str, seed: int = 0) -> None:
        shape = SHAPES[name]
        spec = parse(shape.text.format(name=name), source=name)
        modules = catalog.modules.all()
        self.name = name
        self.backbone = backbone(shape.layers, shape.linears)
        self.space: Space = expansion.expand(spec, self.backbone, modules)
        slots = self.space.slots
        counts = [
            [modules[s.module].count(self.backbone.site(s.site), {s.size: n}) for n in (1, 2)]
            for s in slots
        ]
        self.layers = np.array([int(slot.site.partition(".")[0]) for slot in slots])
        self.slope = np.array([two.parameters - one.parameters for one, two in counts])
        self.base = np.array([2 * one.parameters - two.parameters for one, two in counts])
        sizes = [self.space.dimensions[s.from_dimension[s.size]].values for s in slots]
        self.largest = np.array([max(map(float, values)) for values in sizes])
        self.limit = int(shape.share * (self.slope * self.largest + self.base).sum())
        rng = np.random.default_rng([seed, len(slots)])
        weights = rng.lognormal(0.0, 1.5, len(slots))
        self.weights = 2.5 * weights / weights.sum()
        self.pairs = rng.integers(len(slots), size=(len(slots), 2))
        scale = np.sqrt(self.weights[self.pairs].prod(axis=1))
        self.strengths = 0.6 * scale * rng.normal(-0.3, 1.0, len(slots))
        self.guessed = self.weights * rng.lognormal(0.0, 0.6, len(slots))

    def sizes(self, points: np.ndarray) -> np.ndarray:
        """Size of the module in every slot, shape m x slots."""
        columns = []
        for slot in self.space.slots:
            index = slot.from_dimension[slot.size]
            size = np.array(self.space.dimensions[index].values, dtype=float)[points[:, index]]
            for gate in slot.gates:
                size = size * points[:, gate]
            columns.append(size)
        return np.stack(columns, axis=1)

    def parameters(self, points: np.ndarray) -> np.ndarray:
        """Trained parameters, shape m."""
        sizes = self.sizes(points)
        return sizes @ self.slope + (sizes > 0) @ self.base

    def lowest(self, points: np.ndarray) -> np.ndarray:
        """Lowest layer with a module, shape m."""
        return np.where(self.sizes(points) > 0, self.layers, len(self.backbone.layers)).min(axis=1)

    def memory(self, parameters: np.ndarray, lowest: np.ndarray) -> np.ndarray:
        """Memory, which falls with every layer that is left out below, shape m."""
        return len(self.backbone.layers) + 1 - lowest + 4 * parameters / self.limit

    @property
    def most_memory(self) -> float:
        """A little more than any configuration needs."""
        return len(self.backbone.layers) + 6.0

    def costs(self, points: np.ndarray) -> np.ndarray:
        """Parameters and memory, shape m x 2."""
        parameters = self.parameters(points)
        return np.stack([parameters, self.memory(parameters, self.lowest(points))], axis=1)

    def count(self, placement: Placement) -> float:
        """Parameters of one placement."""
        slot = self._slot[placement.site, placement.module]
        size = float(placement.settings[self.space.slots[slot].size])
        return float(self.base[slot] + self.slope[slot] * size)

    def accuracy(self, points: np.ndarray) -> np.ndarray:
        """The noiseless accuracy, shape m."""
        gain = 1 - np.exp(-self.sizes(points) / self.largest / CURVATURE)
        first, second = self.pairs.T
        total = gain @ self.weights + (gain[:, first] * gain[:, second]) @ self.strengths
        over = np.log2(np.maximum(self.parameters(points) / (self.limit / 2), 1))
        return FLOOR + RISE * (1 - np.exp(-total)) - 0.01 * over

    def worth(self, placement: Placement) -> float:
        """A guess of what a placement adds, rank-correlated with the truth at about 0.9."""
        slot = self._slot[placement.site, placement.module]
        share = float(placement.settings[self.space.slots[slot].size]) / self.largest[slot]
        return float(self.guessed[slot] * (1 - math.exp(-share / CURVATURE)))

    @cached_property
    def _slot(self) -> dict[tuple[str, str], int]:
        return {(s.site, s.module): i for i, s in enumerate(self.space.slots)}
