"""Pareto dominance, fronts, hypervolume and knees: pure functions of rows of numbers.

A row holds one value per objective, in the order of `directions`; rows with a NaN never win.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autopeft.types import Direction

Row = Sequence[float]
Gains = tuple[float, ...]
"""A row with the minimised objectives negated, so that more is better everywhere."""


def dominates(a: Row, b: Row, directions: Sequence[Direction]) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better; never true with a NaN."""
    first, second = _gains(a, directions), _gains(b, directions)
    return first != second and _covers(first, second)


def front(values: Sequence[Row], directions: Sequence[Direction]) -> list[int]:
    """Indices of the rows that no row dominates, ascending; of equal rows only the first."""
    gains = [_gains(row, directions) for row in values]
    usable = [i for i, row in enumerate(gains) if not any(math.isnan(gain) for gain in row)]
    kept: list[int] = []
    for index in sorted(usable, key=lambda i: gains[i], reverse=True):
        if not any(_covers(gains[other], gains[index]) for other in kept):
            kept.append(index)
    return sorted(kept)


def hypervolume(values: Sequence[Row], reference: Row, directions: Sequence[Direction]) -> float:
    """Volume between the front and the reference, exact for any number of objectives.

    Rows that are not better than the reference in every objective add nothing.
    """
    origin = _gains(reference, directions)
    boxes = []
    for index in front(values, directions):
        row = _gains(values[index], directions)
        box = tuple(gain - start for gain, start in zip(row, origin, strict=True))
        if min(box, default=0.0) > 0:
            boxes.append(box)
    return _union(boxes)


def knee(values: Sequence[Row], directions: Sequence[Direction]) -> int:
    """Index of the row that lies farthest beyond the line between the ends of the front.

    Every objective is scaled to its range on the front. With more than two, the first is weighed
    against the mean of the others. With one or two rows on the front, the best first objective.
    Raises ValueError when every row has a NaN.
    """
    indices = front(values, directions)
    gains = {i: _gains(values[i], directions) for i in indices}
    if len(indices) < 3 or len(directions) < 2:
        return max(indices, key=lambda i: gains[i])
    columns = [_scaled(column) for column in zip(*gains.values(), strict=True)]
    scaled = dict(zip(indices, zip(*columns, strict=True), strict=True))
    # The ends are (1, 0) and (0, 1), so the distance to their line grows with the sum.
    return max(indices, key=lambda i: (round(_bulge(scaled[i]), 12), gains[i]))


def smallest_within(
    values: Sequence[Row], directions: Sequence[Direction], tolerance: float
) -> int:
    """Index of the best second objective among rows whose first is within `tolerance` of the best.

    Raises ValueError when every row has a NaN.
    """
    indices = front(values, directions)
    gains = {i: _gains(values[i], directions) for i in indices}
    least = max(row[0] for row in gains.values()) - tolerance
    near = [i for i in indices if gains[i][0] >= least or math.isclose(gains[i][0], least)]
    return max(near, key=lambda i: (gains[i][1:], gains[i][0]))


def chance(gains: Any, index: int) -> float:
    """The share of resamples in which no other row dominates this one, to three digits.

    Args:
        gains: array [objectives, resamples, rows]; more is better everywhere.
        index: of the row.
    """
    own = gains[:, :, index : index + 1]
    covers = (gains >= own).all(axis=0) & (gains > own).any(axis=0)
    return round(float(1.0 - covers.any(axis=1).mean()), 3)


def _gains(row: Row, directions: Sequence[Direction]) -> Gains:
    pairs = zip(row, directions, strict=True)
    return tuple(value if direction == "maximize" else -value for value, direction in pairs)


def _covers(a: Gains, b: Gains) -> bool:
    """Whether `a` is nowhere worse than `b`."""
    return all(x >= y for x, y in zip(a, b, strict=True))


def _union(boxes: Sequence[Gains]) -> float:
    """Volume of the union of boxes from the origin, one slab of the last coordinate at a time."""
    if not boxes:
        return 0.0
    if len(boxes[0]) == 1:
        return max(box[0] for box in boxes)
    if len(boxes[0]) == 2:
        return _area(boxes)
    ordered = sorted(boxes, key=lambda box: box[-1], reverse=True)
    floors = [box[-1] for box in ordered[1:]] + [0.0]
    volume = 0.0
    for count, (box, floor) in enumerate(zip(ordered, floors, strict=True), start=1):
        if box[-1] > floor:
            volume += (box[-1] - floor) * _union([other[:-1] for other in ordered[:count]])
    return volume


def _area(boxes: Sequence[Gains]) -> float:
    """Area of the union of rectangles from the origin, widest first."""
    area = reached = 0.0
    for width, height in sorted(boxes, reverse=True):
        if height > reached:
            area += width * (height - reached)
            reached = height
    return area


def _scaled(column: Sequence[float]) -> list[float]:
    """The column on 0 to 1; all zeros when it is constant."""
    low, high = min(column), max(column)
    return [(value - low) / (high - low) if high > low else 0.0 for value in column]


def _bulge(row: Sequence[float]) -> float:
    return row[0] + math.fsum(row[1:]) / (len(row) - 1)
