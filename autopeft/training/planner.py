"""How many configurations to pack: as many as make each one cheaper, never more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

GAIN = 0.97
"""A wider pack must cost at most this share of the time per configuration."""
TIMED_STEPS = 2


@dataclass
class Planner:
    """Measures, once per trunk depth, the pack width with the least time per configuration.

    The choice is kept in `widths`, which a study stores: a resumed search packs the same way, so
    that its results are the same to the last bit.
    """

    step: Callable[[int, int], None]
    """(entry layer, K): run one training step of such a pack and wait for it."""
    largest: int
    fixed: bool = False
    """Always pack as many as `largest`, without measuring."""
    widths: dict[int, int] = field(default_factory=dict)
    timings: dict[int, dict[int, float]] = field(default_factory=dict)
    """Entry layer -> K -> seconds per configuration and step, as measured."""

    def width(self, entry: int) -> int:
        """K for packs whose lowest adapted layer is `entry`."""
        if self.fixed:
            return self.largest
        if entry not in self.widths:
            self.widths[entry] = self._measure(entry)
        return self.widths[entry]

    def _measure(self, entry: int) -> int:
        seconds: dict[int, float] = {}
        self.timings[entry] = seconds
        best = width = 1
        while width <= self.largest:
            try:
                seconds[width] = self._time(entry, width)
            except (torch.OutOfMemoryError, MemoryError):
                break
            if width > 1 and seconds[width] > GAIN * seconds[best]:
                break
            best = width
            width *= 2
        return best

    def _time(self, entry: int, width: int) -> float:
        self.step(entry, width)
        times = []
        for _ in range(TIMED_STEPS):
            started = time.perf_counter()
            self.step(entry, width)
            times.append(time.perf_counter() - started)
        return min(times) / width

    def plan(self, entries: Sequence[int]) -> list[list[int]]:
        """Packs as lists of positions in `entries`: jobs of about the same trunk together."""
        ordered = sorted(range(len(entries)), key=lambda i: (-entries[i], i))
        packs: list[list[int]] = []
        for position in ordered:
            last = packs[-1] if packs else []
            if last and self._joins(entries[position], entries[last[0]], len(last)):
                last.append(position)
            else:
                packs.append([position])
        return packs

    def _joins(self, entry: int, highest: int, count: int) -> bool:
        return highest - entry <= 1 and count < self.width(entry)


def restored(widths: Mapping[str, int]) -> dict[int, int]:
    """Widths as read back from JSON, whose keys are text."""
    return {int(entry): width for entry, width in widths.items()}
