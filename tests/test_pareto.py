"""Fronts, hypervolumes and knees against brute force and areas known by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopeft import pareto
from autopeft.types import Direction

NAN = math.nan
UP_DOWN: tuple[Direction, ...] = ("maximize", "minimize")
UP: tuple[Direction, ...] = ("maximize", "maximize")

numbers = st.one_of(st.integers(0, 5).map(float), st.just(NAN))


def rows(width: int, largest: int = 12):  # type: ignore[no-untyped-def]
    return st.lists(st.tuples(*[numbers] * width), max_size=largest)


def test_dominates_needs_one_better_and_none_worse() -> None:
    assert pareto.dominates((2, 1), (1, 1), UP_DOWN)
    assert not pareto.dominates((2, 2), (1, 1), UP_DOWN)
    assert not pareto.dominates((1, 1), (1, 1), UP_DOWN)


def test_a_nan_neither_dominates_nor_is_dominated() -> None:
    assert not pareto.dominates((NAN, 0), (0, 1), UP_DOWN)
    assert not pareto.dominates((1, 0), (NAN, 1), UP_DOWN)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        pareto.dominates((1, 2, 3), (1, 2), UP_DOWN)


@given(rows(3))
def test_front_equals_the_definition(values: list[tuple[float, ...]]) -> None:
    directions: tuple[Direction, ...] = ("maximize", "minimize", "maximize")
    expected = [
        i
        for i, row in enumerate(values)
        if not any(map(math.isnan, row))
        and not any(pareto.dominates(other, row, directions) for other in values)
        and row not in values[:i]
    ]
    assert pareto.front(values, directions) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([(1, 1)], [0]),
        ([(NAN, 1)], []),
        ([(1, 1), (1, 1)], [0]),
        ([(1, 2), (1, 1), (2, 1), (0, 0)], [2, 3]),
    ],
)
def test_front_of_awkward_lists(values: list[tuple[float, float]], expected: list[int]) -> None:
    assert pareto.front(values, UP_DOWN) == expected


@pytest.mark.parametrize(
    ("values", "reference", "expected"),
    [
        ([], (0, 0), 0),
        ([(2, 3)], (0, 0), 6),
        ([(3, 1), (2, 2), (1, 3)], (0, 0), 6),
        ([(3, 1), (2, 2), (1, 3), (1, 1)], (0, 0), 6),
        ([(3, 0), (2, 2)], (0, 0), 4),
        ([(NAN, 9), (2, 2)], (1, 1), 1),
    ],
)
def test_area(values: list[tuple[float, float]], reference: tuple[float, float], expected: float):  # type: ignore[no-untyped-def]
    assert pareto.hypervolume(values, reference, UP) == expected


def test_volume_of_three_overlapping_boxes() -> None:
    # 4 + 4 + 4 less three overlaps of 2, plus 1 where all three meet.
    directions: tuple[Direction, ...] = ("maximize", "minimize", "maximize")
    values = [(2, -2, 1), (2, -1, 2), (1, -2, 2)]
    assert pareto.hypervolume(values, (0, 0, 0), directions) == 7


@settings(max_examples=50)
@given(rows(3, largest=8))
def test_volume_counts_the_unit_cells_below_the_front(values: list[tuple[float, ...]]) -> None:
    cells = {
        (x, y, z)
        for row in values
        if not any(map(math.isnan, row))
        for x in range(int(row[0]))
        for y in range(int(row[1]))
        for z in range(int(row[2]))
    }
    found = pareto.hypervolume(values, (0, 0, 0), ("maximize",) * 3)
    assert found == pytest.approx(len(cells))


def test_knee_is_the_corner_of_an_l() -> None:
    values = [(90, 1.0), (89, 0.2), (80, 0.1), (70, 0.05)]
    assert pareto.knee(values, UP_DOWN) == 1


def test_knee_is_the_farthest_point_from_the_line_between_the_ends() -> None:
    values = [(0, 0), (30, 2), (50, 5), (90, 6), (100, 10)]
    by_distance = max(range(5), key=lambda i: values[i][0] / 100 - values[i][1] / 10)
    assert pareto.knee(values, UP_DOWN) == by_distance == 3


def test_knee_ignores_dominated_and_missing_rows() -> None:
    values = [(NAN, 0), (0, 0), (99, 5.1), (99, 5), (100, 10)]
    assert pareto.knee(values, UP_DOWN) == 3


def test_knee_of_a_straight_front_is_its_most_accurate_end() -> None:
    assert pareto.knee([(0, 0), (0.1, 0.1), (0.3, 0.3)], UP_DOWN) == 2


def test_knee_weighs_the_first_objective_against_the_mean_of_the_rest() -> None:
    values = [(100, 10, 10), (95, 2, 3), (0, 0, 0)]
    assert pareto.knee(values, ("maximize", "minimize", "minimize")) == 1


@pytest.mark.parametrize(("values", "expected"), [([(1, 1)], 0), ([(1, 1), (2, 9)], 1)])
def test_knee_of_one_or_two(values: list[tuple[float, float]], expected: int) -> None:
    assert pareto.knee(values, UP_DOWN) == expected


def test_nothing_to_choose_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        pareto.knee([(NAN, 1)], UP_DOWN)
    with pytest.raises(ValueError, match="empty"):
        pareto.smallest_within([], UP_DOWN, 1)


def test_smallest_within_includes_the_tolerance_itself() -> None:
    values = [(89.2, 3), (88.2, 1), (88.1, 0.5)]
    assert pareto.smallest_within(values, UP_DOWN, 1.0) == 1
    assert pareto.smallest_within(values, UP_DOWN, 0.0) == 0


def test_smallest_within_of_a_minimised_first_objective() -> None:
    values = [(0.30, 3), (0.31, 2), (0.40, 1)]
    assert pareto.smallest_within(values, ("minimize", "minimize"), 0.02) == 1


def test_one_objective_gives_its_best() -> None:
    assert pareto.knee([(1,), (3,), (2,)], ("maximize",)) == 1
    assert pareto.smallest_within([(1,), (3,), (2,)], ("maximize",), 5) == 1
