"""Names beside points: clear of each other, of points and of the edges."""

from __future__ import annotations

import importlib
from typing import Any

labels: Any = importlib.import_module("autopeft.reports._labels")


def test_a_lone_name_goes_below_on_the_right() -> None:
    assert labels.places(["LoRA"], [(0.5, 0.5)], [(0.5, 0.5)]) == ["bottom right"]


def test_two_names_at_one_place_go_apart() -> None:
    at = [(0.5, 0.5), (0.5, 0.5)]
    first, second = labels.places(["LoRA r=8 on q,v", "LoRA r=2"], at, at)
    a, b = (labels.box("LoRA r=2", (500, 190), labels.PLACES[place]) for place in (first, second))
    assert not a.meets(b)


def test_a_name_stays_within_the_plot() -> None:
    names = ["a long name of a default"]
    assert labels.places(names, [(1.0, 0.5)], [])[0].endswith("left")
    assert labels.places(names, [(0.0, 0.0)], []) == ["top right"]


def test_a_name_avoids_points() -> None:
    dots = [(0.5 + 0.01 * i, 0.46) for i in range(10)]
    assert labels.places(["a name"], [(0.5, 0.5)], dots) == ["top right"]


def test_no_names() -> None:
    assert labels.places([], [], [(0.5, 0.5)]) == []
