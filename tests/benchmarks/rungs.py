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

from autopeft import pareto
from autopeft.rungs import promotion, stopping
from autopeft.rungs.forecast import Early
from autopeft.rungs.promotion import Finished, Reached
from autopeft.types import Direction, Measured, Point


@dataclass(frozen=True)
class Training:
    """One configuration of a table with one seed."""

    point: Point
    """In the table's space."""
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


def short(
    rung: int,
    candidates: Sequence[Training],
    seen: Sequence[Training],
    finished: Sequence[Training],
) -> list[Training]:
    """AutoPEFT's `--proxy short`: all but those that have lost their chance to end on the front."""
    batch = [Reached(i, t.curve[rung], t.costs) for i, t in enumerate(candidates)]
    stopped = stopping.stops(batch, known(rung, finished))
    return [t for i, t in enumerate(candidates) if i not in stopped]


def another_go(
    stopped: Sequence[tuple[int, Training]], finished: Sequence[Training]
) -> list[Training]:
    """Those that AutoPEFT would train anew, best first, of (rung, training stopped there)."""
    reached = [Reached(i, t.curve[rung], t.costs) for i, (rung, t) in enumerate(stopped)]
    rungs = {t.curve[rung].step: rung for rung, t in stopped}
    again = stopping.another_go(reached, lambda step: known(rungs[step], finished))
    return [stopped[i][1] for i in again]


def by_layers(
    rung: int,
    candidates: Sequence[Training],
    seen: Sequence[Training],
    finished: Sequence[Training],
    *,
    keep: float,
    by: Callable[[Early], float],
    floor: bool = False,
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
    """
    together = [*seen, *candidates]
    layers = crowded([(by(t.curve[rung]), *t.costs) for t in together])
    best_first = [index for layer in layers for index in layer]
    count = math.ceil(keep * len(together))
    if floor:
        count = max(count, len(layers[0]))
    chosen = {index - len(seen) for index in best_first[:count]}
    return [t for index, t in enumerate(candidates) if index in chosen]


def expected(training: Training, rung: int, finished: Sequence[Training]) -> Measured | None:
    """What a search expects of training on; None while too few are fully trained."""
    forecast = promotion.expected(known(rung, finished))
    return forecast.of(training.curve[rung]) if forecast else None


def known(rung: int, finished: Sequence[Training]) -> list[Finished]:
    """The fully trained ones as they were at a rung."""
    return [
        Finished(index, t.curve[rung], Measured(t.curve[-1].score, t.error), t.costs)
        for index, t in enumerate(finished)
    ]


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
    directions: list[Direction] = ["maximize", *("minimize" for _ in rows[0][1:])]
    left, found = list(range(len(rows))), []
    while left:
        front = pareto.front([rows[i] for i in left], directions)
        layer = [left[i] for i in front]
        found.append(_apart([rows[i] for i in layer], layer))
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
    """All rules by name; `keeps` are the shares that those not shipped keep at each rung."""
    layers = partial(_shared, keeps, by_layers)
    return {
        "full": everything,
        "short": short,
        "score only": _shared(keeps, by_score),
        "pareto score": layers(by=score),
        "pareto loss": layers(by=loss),
        "pareto loss, whole front": layers(by=loss, floor=True),
    }
