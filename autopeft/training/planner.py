"""Which configurations to train together: the split into packs that is expected to end first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from autopeft.training.pack_load import Load, Probe, padded_parameters

GAIN = 0.97
"""A wider pack must cost at most this share of the time per configuration."""
TIMED_STEPS = 2
RANK = 8
"""Of the LoRA on every linear that is timed as a typical load."""
LARGE_RANK = 64

Step = Callable[[int, int, int], Probe]
"""(entry layer, K, rank): run one training step of LoRA of that rank on every linear from that
layer up, and wait for it."""


@dataclass
class Timings:
    """Seconds per step, as measured here; a study keeps them, so that it always packs the same."""

    packs: dict[int, dict[int, float]] = field(default_factory=dict)
    """Entry layer, lowest and highest -> K -> seconds of the whole pack."""
    typical: int = 0
    """Parameters of one configuration of the packs that were timed at layer 0."""
    per_parameter: float = 0.0
    """Seconds per stacked parameter, padding included."""
    limit: int = 0
    """The largest K for which there was memory; 0 where memory did not run out."""
    memory: dict[int, int] = field(default_factory=dict)
    """Entry layer, lowest and highest -> bytes that one configuration adds to a pack."""
    room: int = 0
    """Bytes that a pack may add to the frozen base; 0 for no limit."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Timings:
        """The inverse of `to_json`, whose keys JSON has turned into text."""
        packs = {int(k): {int(w): s for w, s in v.items()} for k, v in data["packs"].items()}
        memory = {int(k): v for k, v in data["memory"].items()}
        return Timings(**{**data, "packs": packs, "memory": memory})


@dataclass
class Planner:
    """Splits configurations into packs by timing a few typical ones, once per study."""

    step: Step
    layers: int
    """Of the backbone: the entry layer of a configuration that adapts none."""
    largest: int
    fixed: bool = False
    """Always pack as many as `largest`, without measuring."""
    timings: Timings = field(default_factory=Timings)

    def plan(self, loads: Sequence[Load], *, seeds: int = 1) -> list[list[int]]:
        """Packs as lists of positions in `loads`: the cheapest split of them, deepest trunk first.

        Neighbours in trunk depth and size are joined, so the split is a cut of that order, found
        by dynamic programming over its prefixes. With several seeds each load is in its pack as
        many times.
        """
        order = sorted(range(len(loads)), key=lambda i: (-loads[i].entry, loads[i].total, i))
        if self.fixed:
            cuts = range(0, len(order), self.largest)
            return [order[start : start + self.largest] for start in cuts]
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(order) + 1):
            starts = range(max(0, end - max(1, self.width // seeds)), end)
            costs = [
                (best[start][0] + self._cost([loads[i] for i in order[start:end]], seeds), start)
                for start in starts
            ]
            best.append(min(costs))
        return _cut(order, best)

    @property
    def width(self) -> int:
        """The largest K that a pack may have."""
        if self.fixed:
            return self.largest
        for entry in (0, self.layers):
            self._measured(entry)
        return min(self.largest, self.timings.limit or self.largest)

    def seconds(self, pack: Sequence[Load]) -> float:
        """Expected seconds of one step of a pack, affine in its trunk's depth and its size."""
        entry, width = min(load.entry for load in pack), len(pack)
        low, high = (_whole(self._measured(end), width) for end in (0, self.layers))
        share = entry / max(1, self.layers)
        extra = padded_parameters(pack) - (1 - share) * self.timings.typical
        return low + share * (high - low) + self.timings.per_parameter * width * extra

    def _fits(self, pack: Sequence[Load], seeds: int) -> bool:
        """Whether there is room for the pack; one configuration is always tried."""
        if len(pack) == 1 or not self.timings.room:
            return True
        low, high = (self.timings.memory.get(end, 0) for end in (0, self.layers))
        share = min(load.entry for load in pack) / max(1, self.layers)
        return seeds * len(pack) * (low + share * (high - low)) <= self.timings.room

    def _cost(self, pack: Sequence[Load], seeds: int) -> float:
        """Seconds, with what packing must gain to be worth it; infinite without room."""
        if not self._fits(pack, seeds):
            return math.inf
        return self.seconds([*pack] * seeds) / (1.0 if len(pack) == 1 else GAIN)

    def _measured(self, entry: int) -> dict[int, float]:
        if not self.timings.packs:
            self._measure_size()
        if entry not in self.timings.packs:
            self.timings.packs[entry] = self._measure(entry)
        return self.timings.packs[entry]

    def _measure(self, entry: int) -> dict[int, float]:
        """Seconds by K, doubled as long as each configuration gets cheaper and there is memory."""
        seconds = {1: self._time(entry, 1, RANK)}
        if math.isfinite(seconds[1]):
            self.timings.memory[entry] = self.step(entry, 1, RANK).memory
        each, room = self.timings.memory.get(entry, 0), self.timings.room or math.inf
        width = 2
        while width <= self.largest and width * each <= room:
            found = self._time(entry, width, RANK)
            if math.isinf(found):
                self.timings.limit = min(self.timings.limit or width // 2, width // 2)
                break
            seconds[width] = found
            if found > 2 * GAIN * seconds[width // 2]:
                break
            width *= 2
        return seconds

    def _measure_size(self) -> None:
        """What a parameter costs: the difference between a small and a large rank."""
        small, large = (self._time(0, 1, rank) for rank in (RANK, LARGE_RANK))
        if math.isfinite(large):
            counts = [self.step(0, 1, rank).parameters for rank in (RANK, LARGE_RANK)]
            self.timings.typical = counts[0]
            self.timings.per_parameter = max(0.0, large - small) / (counts[1] - counts[0])

    def _time(self, entry: int, width: int, rank: int) -> float:
        """Seconds of a step; infinite without the memory for it."""
        times = []
        try:
            self.step(entry, width, rank)
            for _ in range(TIMED_STEPS):
                started = time.perf_counter()
                self.step(entry, width, rank)
                times.append(time.perf_counter() - started)
        except (torch.OutOfMemoryError, MemoryError):
            return math.inf
        return min(times)


def _whole(measured: Mapping[int, float], width: int) -> float:
    """Seconds of a pack of any K: linear between those measured, and on beyond the last two."""
    if width in measured or len(measured) == 1:
        return measured.get(width, width * measured[1])
    above = min((w for w in measured if w > width), default=max(measured))
    below = max(w for w in measured if w < above)
    slope = (measured[above] - measured[below]) / (above - below)
    return measured[below] + slope * (width - below)


def _cut(order: Sequence[int], best: Sequence[tuple[float, int]]) -> list[list[int]]:
    """The packs that the table of (seconds, start of the last pack) by prefix stands for."""
    packs: list[list[int]] = []
    end = len(order)
    while end:
        start = best[end][1]
        packs.insert(0, list(order[start:end]))
        end = start
    return packs
