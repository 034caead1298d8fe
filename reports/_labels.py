"""Where the names of points go in a figure, so that they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1000.0, 380.0
"""Pixels of the plot on a wide screen."""
LETTER, LINE, GAP = 6.3, 15.0, 9.0
"""Pixels of a letter, of a line of text, and between a point and its name."""
PLACES = {
    "bottom right": (1, 1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "top left": (-1, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
}
"""Place -> on which side of the point: right and down are positive."""
OUTSIDE, ON_NAME, ON_POINT = 100.0, 10.0, 1.0


@dataclass(frozen=True)
class Rectangle:
    """A part of the plot in pixels from its top left."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Rectangle) -> bool:
        """Whether the two overlap."""
        apart = self.right < other.left or other.right < self.left
        return not (apart or self.bottom < other.top or other.bottom < self.top)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies within."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def inside(self) -> bool:
        """Whether it is wholly within the plot."""
        return self.left >= 0 and self.top >= 0 and self.right <= WIDTH and self.bottom <= HEIGHT


def places(
    names: Sequence[str], at: Sequence[tuple[float, float]], points: Sequence[tuple[float, float]]
) -> list[str]:
    """One place for each name; positions are shares of the plot from its bottom left."""
    dots = [(x * WIDTH, (1 - y) * HEIGHT) for x, y in points]
    taken: list[Rectangle] = []
    chosen = []
    for name, (x, y) in zip(names, at, strict=True):
        boxes = {p: box(name, (x * WIDTH, (1 - y) * HEIGHT), PLACES[p]) for p in PLACES}
        best = min(boxes, key=lambda p: cost(boxes[p], taken, dots))
        chosen.append(best)
        taken.append(boxes[best])
    return chosen


def box(name: str, point: tuple[float, float], side: tuple[int, int]) -> Rectangle:
    """The part of the plot that a name takes on that side of its point."""
    width = LETTER * len(name)
    left = point[0] + GAP if side[0] > 0 else point[0] - GAP - width
    top = point[1] - LINE / 2 + side[1] * (LINE / 2 + GAP / 2)
    return Rectangle(left, top, left + width, top + LINE)


def cost(
    found: Rectangle, taken: Sequence[Rectangle], dots: Sequence[tuple[float, float]]
) -> float:
    """How bad a place is: outside of the plot, on another name, on points."""
    names = sum(found.meets(other) for other in taken)
    covered = sum(found.holds(*dot) for dot in dots)
    return OUTSIDE * (not found.inside()) + ON_NAME * names + ON_POINT * covered
