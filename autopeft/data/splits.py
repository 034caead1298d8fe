"""Carving disjoint splits: seeded, stratified by class, without shared texts."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from autopeft.digest import seed_of
from autopeft.types import Examples

AT_LEAST = 2
"""Rows of each class in a carved split, where its size and the class allow it."""


def take(examples: Examples, indices: Sequence[int]) -> Examples:
    """The examples at these indices, in their order."""
    return Examples(
        tuple(examples.texts[i] for i in indices), tuple(examples.labels[i] for i in indices)
    )


def drop_repeats(examples: Examples) -> Examples:
    """The first example of each text."""
    first: dict[tuple[str, ...], int] = {}
    for i, texts in enumerate(examples.texts):
        first.setdefault(texts, i)
    return take(examples, list(first.values()))


def drop_shared(examples: Examples, other: Examples) -> Examples:
    """The examples whose texts are not in the other split."""
    known = set(other.texts)
    return take(examples, [i for i, texts in enumerate(examples.texts) if texts not in known])


def carve(
    examples: Examples, rows: int, *, stratified: bool, seed: int
) -> tuple[Examples, Examples]:
    """(the rest, a sample of about `rows` rows); every class keeps a row in the rest."""
    chosen = _sample(examples, rows, stratified=stratified, seed=seed, keep=1)
    rest = sorted(set(range(len(examples))) - set(chosen))
    return take(examples, rest), take(examples, chosen)


def cap(examples: Examples, rows: int, *, stratified: bool, seed: int) -> Examples:
    """At most `rows` examples; all of them when `rows` is 0."""
    if not 0 < rows < len(examples):
        return examples
    return take(examples, _sample(examples, rows, stratified=stratified, seed=seed, keep=0))


def _sample(examples: Examples, rows: int, *, stratified: bool, seed: int, keep: int) -> list[int]:
    """Indices of a sample in ascending order; `keep` rows of each class stay out of it."""
    groups: dict[float, list[int]] = defaultdict(list)
    for i, label in enumerate(examples.labels):
        groups[label if stratified else 0.0].append(i)
    sizes = allocate({label: len(group) for label, group in groups.items()}, rows, keep=keep)
    chosen: list[int] = []
    for label, group in sorted(groups.items()):
        draw = random.Random(seed_of(seed, label))
        chosen += draw.sample(group, sizes[label])
    return sorted(chosen)


def allocate(available: Mapping[float, int], rows: int, *, keep: int) -> dict[float, int]:
    """Rows per class: in proportion, two of each first where possible, `keep` left of each."""
    total = sum(available.values())
    limits = {label: max(0, count - keep) for label, count in available.items()}
    least = min(AT_LEAST, rows // max(1, len(available)))
    given = {label: min(least, limit) for label, limit in limits.items()}
    queue = [(given[c] - rows * available[c] / total, c) for c in available if given[c] < limits[c]]
    heapq.heapify(queue)
    for _ in range(rows - sum(given.values())):
        if not queue:
            break
        surplus, label = heapq.heappop(queue)
        given[label] += 1
        if given[label] < limits[label]:
            heapq.heappush(queue, (surplus + 1, label))
    return given
