"""Rules that decide at a rung which trainings go on, for `tests.benchmarks.fidelity`.

Every rule sees what a search sees: the curves so far of what reached the rung, the exact costs, and
the final scores of what was trained to the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from autopeft import pareto, promotion
from autopeft.promotion import Early, Finished
from autopeft.types import Direction, Measured


@dataclass(frozen=True)
class Training:
    """One configuration of a table with one seed."""

    curve: tuple[Early, ...]
    """At every rung, the last of them the end."""
    error: float
    """Standard error of the final score."""
    costs: tuple[float, ...]
    """Less is better."""
    truth: float
    """Mean final score over the seeds, which no rule sees."""


Rule = Callable[[int, Sequence[Training], Sequence[Training], Sequence[Training]], list[Training]]
"""(rung, candidates, seen, finished) -> those that go on.

`seen` is everything else that reached the rung, `finished` what was trained to the end before.
"""


def everything(
    rung: int,
    candidates: Sequence[Training],
    seen: Sequence[Training],
    finished: Sequence[Training],
) -> list[Training]:
    """Full fidelity."""
    return list(candidates)


def shipped(
    rung: int,
    candidates: Sequence[Training],
    seen: Sequence[Training],
    finished: Sequence[Training],
) -> list[Training]:
    """AutoPEFT's: all but those whose chance to end on the front is next to none."""
    known = [
        Finished(i, t.curve[rung], Measured(t.curve[-1].score, t.error), t.costs)
        for i, t in enumerate(finished)
    ]
    expected = ((t, promotion.outlook(t.curve[rung], t.costs, known)) for t in candidates)
    return [t for t, outlook in expected if outlook is None or not outlook.hopeless]


def halving(
    rung: int,
    candidates: Sequence[Training],
    seen: Sequence[Training],
    finished: Sequence[Training],
    *,
    keep: float,
    by: Callable[[Early], float],
    floor: bool = False,
    ordered: Callable[[Sequence[Sequence[float]]], list[list[int]]],
) -> list[Training]:
    """Successive halving by layers of fronts.

    Args:
        rung: where the candidates are.
        candidates: of this batch.
        seen: of the batches before.
        finished: not used.
        keep: share of all that reached the rung.
        by: what counts at a rung, more is better.
        floor: whether the whole first layer goes on, however wide.
        ordered: the layers, each in the order of who goes on first.
    """
    together = [*seen, *candidates]
    layers = ordered([(by(t.curve[rung]), *t.costs) for t in together])
    best_first = [index for layer in layers for index in layer]
    count = math.ceil(keep * len(together))
    if floor:
        count = max(count, len(layers[0]))
    chosen = {index - len(seen) for index in best_first[:count]}
    return [t for index, t in enumerate(candidates) if index in chosen]


def by_score(
    rung: int,
    candidates: Sequence[Training],
    seen: Sequence[Training],
    finished: Sequence[Training],
    *,
    keep: float,
) -> list[Training]:
    """Successive halving that looks at nothing but the score, as most tuners do."""
    together = sorted([*seen, *candidates], key=lambda t: t.curve[rung].score, reverse=True)
    chosen = {id(t) for t in together[: math.ceil(keep * len(together))]}
    return [t for t in candidates if id(t) in chosen]


def crowded(rows: Sequence[Sequence[float]]) -> list[list[int]]:
    """Indices by layers of fronts; within a layer the ends first, then the loneliest."""
    return _layers(rows, _apart)


def gaining(rows: Sequence[Sequence[float]]) -> list[list[int]]:
    """Indices by layers of fronts; within a layer always what adds most to the hypervolume."""
    table = np.array([[-row[0], *map(math.log10, row[1:])] for row in rows])
    spread = np.ptp(table, axis=0)
    scaled = (table - table.min(axis=0)) / np.where(spread > 0, spread, 1.0)

    def order(_: Sequence[Sequence[float]], layer: Sequence[int]) -> list[int]:
        left, chosen = list(layer), []
        while left:
            best = max(left, key=lambda i: (_volume(scaled[[*chosen, i]]), -i))
            chosen.append(best)
            left.remove(best)
        return chosen

    return _layers(rows, order)


def _volume(rows: np.ndarray) -> float:
    """Hypervolume of rows in the unit cube, less is better, seen from a little beyond it."""
    ways: list[Direction] = ["minimize" for _ in rows[0]]
    return pareto.hypervolume(rows.tolist(), [1.1 for _ in ways], ways)


def _layers(
    rows: Sequence[Sequence[float]],
    order: Callable[[Sequence[Sequence[float]], Sequence[int]], list[int]],
) -> list[list[int]]:
    directions: list[Direction] = ["maximize", *("minimize" for _ in rows[0][1:])]
    left, found = list(range(len(rows))), []
    while left:
        front = pareto.front([rows[i] for i in left], directions)
        layer = [left[i] for i in front]
        found.append(order([rows[i] for i in layer], layer))
        left = [i for i in left if i not in set(layer)]
    return found


def _apart(rows: Sequence[Sequence[float]], layer: Sequence[int]) -> list[int]:
    """The layer by crowding distance (Deb et al., 2002), costs in orders of magnitude."""
    table = np.array([[row[0], *map(math.log10, row[1:])] for row in rows])
    distances = np.zeros(len(table))
    for column in table.T:
        order = column.argsort(kind="stable")
        spread = float(column[order[-1]] - column[order[0]]) or 1.0
        distances[order[[0, -1]]] = math.inf
        distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return [layer[i] for i in np.argsort(-distances, kind="stable")]


def score(early: Early) -> float:
    """On search-validation."""
    return early.score


def loss(early: Early) -> float:
    """Of training, turned so that more is better."""
    return -early.train_loss


def _shared(keeps: Sequence[float], rule: Callable[..., list[Training]], **given: object) -> Rule:
    def at(
        rung: int,
        candidates: Sequence[Training],
        seen: Sequence[Training],
        finished: Sequence[Training],
    ) -> list[Training]:
        return rule(rung, candidates, seen, finished, keep=keeps[rung], **given)

    return at


def rules(keeps: Sequence[float]) -> Mapping[str, Rule]:
    """All rules by name; `keeps` are the shares that halving keeps at each rung."""
    crowd = partial(_shared, keeps, halving, ordered=crowded)
    gain = partial(_shared, keeps, halving, ordered=gaining)
    return {
        "full": everything,
        "shipped": shipped,
        "score only": _shared(keeps, by_score),
        "pareto score": crowd(by=score),
        "pareto loss": crowd(by=loss),
        "pareto loss, whole front": crowd(by=loss, floor=True),
        "hypervolume loss": gain(by=loss),
        "hypervolume loss, whole front": gain(by=loss, floor=True),
    }
