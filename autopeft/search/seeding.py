"""Configurations of an earlier study that a new one begins with."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from autopeft import pareto
from autopeft.optimiser.cost_scale import AT_THE_LIMIT
from autopeft.search.transfer import Lesson
from autopeft.types import Backbone, Configuration, Direction, Placement

SEEDS = 3
"""Configurations of the earlier front that the new study begins with. One more, and no guess of the
new study's own is tried where the tasks are unlike."""


def seeds(
    lesson: Lesson, backbone: Backbone, *, size: Callable[[Configuration], float], limit: float
) -> list[Configuration]:
    """Configurations of the earlier front for another backbone, the ones that say most of it first.

    Each adds most to the hypervolume of score and size, in orders of magnitude, that those before
    it reach; what adds nothing is left out. One that is over the limit counts as being at it, where
    the initial design will bring it.

    Args:
        lesson: of the earlier study.
        backbone: the new study's.
        size: parameters of a configuration on it.
        limit: most of them.
    """
    floor = min((score.value for score in lesson.scores), default=0.0)
    reference = floor, math.log(AT_THE_LIMIT * limit)
    ways: tuple[Direction, ...] = ("maximize", "minimize")
    rows, placed = [], []
    for index in lesson.front:
        configuration = moved(lesson.configurations[index], lesson.backbone, backbone)
        if configuration.placements:
            placed.append(configuration)
            held = min(max(1.0, size(configuration)), limit)
            rows.append((lesson.scores[index].value, math.log(held)))
    chosen: list[int] = []
    reached = 0.0
    for _ in range(min(SEEDS, len(rows))):
        fronts = ([*(rows[c] for c in chosen), row] for row in rows)
        volumes = [pareto.hypervolume(front, reference, ways) for front in fronts]
        best = int(np.argmax(volumes))
        if volumes[best] <= reached:
            break
        reached = volumes[best]
        chosen.append(best)
    return [placed[i] for i in chosen]


def moved(configuration: Configuration, source: Backbone, target: Backbone) -> Configuration:
    """The configuration on another backbone: each site does as its counterpart does.

    The counterpart has the same role in the layer at the same relative depth.
    """
    placed: dict[str, list[Placement]] = {}
    for placement in configuration.placements:
        placed.setdefault(placement.site, []).append(placement)
    last, other = max(1, len(target.layers) - 1), len(source.layers) - 1
    found = [
        Placement(site.name, placement.module, placement.settings)
        for site in target.sites
        for placement in placed.get(f"{round(site.layer * other / last)}.{site.role}", ())
    ]
    return Configuration(tuple(found), configuration.learning_rate)
