"""Allocation to classes and carving."""

from __future__ import annotations

from collections import Counter

import pytest

from autopeft.data.splits import allocate, cap, carve, drop_repeats, drop_shared
from autopeft.types import Examples


def examples(*counts):
    labels = [float(c) for c, count in enumerate(counts) for _ in range(count)]
    return Examples(tuple((f"row {i}",) for i in range(len(labels))), tuple(labels))


@pytest.mark.parametrize(
    ("available", "rows", "keep", "expected"),
    [
        ((50, 50), 20, 1, (10, 10)),
        ((90, 10), 20, 1, (18, 2)),
        ((97, 3), 20, 1, (18, 2)),
        ((98, 2), 20, 1, (19, 1)),
        ((99, 1), 20, 1, (20, 0)),
        ((10, 10, 10), 4, 1, None),
        ((1, 1), 2, 1, (0, 0)),
        ((5, 5), 100, 0, (5, 5)),
    ],
)
def test_allocation(available, rows, keep, expected):
    given = allocate({float(i): n for i, n in enumerate(available)}, rows, keep=keep)
    if expected is None:
        assert sum(given.values()) == rows
        assert min(given.values()) == 1
    else:
        assert tuple(given.values()) == expected


def test_carving_is_disjoint_complete_and_stratified():
    whole = examples(60, 30, 10)
    rest, sample = carve(whole, 20, stratified=True, seed=1)
    assert Counter(sample.labels) == {0.0: 12, 1.0: 6, 2.0: 2}
    assert sorted(rest.texts + sample.texts) == sorted(whole.texts)
    assert not set(rest.texts) & set(sample.texts)


def test_carving_depends_on_the_seed_alone():
    whole = examples(60, 40)
    first, again, other = (carve(whole, 20, stratified=True, seed=s)[1] for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_cap_keeps_all_for_zero_and_each_class_otherwise():
    whole = examples(90, 10)
    assert cap(whole, 0, stratified=True, seed=0) is whole
    assert cap(whole, 100, stratified=True, seed=0) is whole
    assert Counter(cap(whole, 10, stratified=True, seed=0).labels) == {0.0: 8, 1.0: 2}


def test_repeated_texts_keep_the_first():
    repeated = Examples((("a",), ("b",), ("a",)), (0.0, 1.0, 1.0))
    assert drop_repeats(repeated) == Examples((("a",), ("b",)), (0.0, 1.0))


def test_shared_texts_are_dropped_as_pairs():
    train = Examples((("a", "b"), ("b", "a")), (0.0, 1.0))
    assert drop_shared(train, Examples((("b", "a"),), (0.0,))).texts == (("a", "b"),)
