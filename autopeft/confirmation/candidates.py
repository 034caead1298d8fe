"""Which trials to confirm, by what the search's own scores tell."""

from __future__ import annotations

from autopeft.confirmation import front_probability
from autopeft.study import results
from autopeft.types import Results

DOUBTFUL = 0.05
"""P(on the front), from which on a trial is a candidate."""
MOST = 24
"""Candidates besides the front and the defaults."""


def candidates(found: Results) -> list[int]:
    """The front, the defaults, and what most probably belongs on the front besides."""
    chances = front_probability.estimate(found).trials
    able = {t.number: t for t in found.trials if t.state == "complete" and t.feasible}
    sure = {*found.front, *(n for n, t in able.items() if t.default)}
    rest = sorted(
        (n for n in able if n not in sure and chances.get(n, 0.0) >= DOUBTFUL),
        key=lambda n: -chances[n],
    )
    return sorted({*sure, *rest[:MOST]})


def foremost(found: Results, *, most: int) -> list[int]:
    """The candidates that a reader asks about first.

    What is recommended, the first default and the most accurate one, the other ends of the front,
    and then the rest of the front and of the candidates, those most in doubt first.

    Args:
        found: a study with a front.
        most: candidates.
    """
    name, direction = found.objectives[0].name, found.objectives[0].direction
    sign = 1.0 if direction == "maximize" else -1.0
    chances = front_probability.estimate(found).trials
    defaults = [t for t in found.trials if t.default and t.state == "complete" and t.feasible]
    accurate = sorted(defaults, key=lambda t: -sign * t.objectives[name].value)
    named = [
        results.choose(found, "smallest"),
        *defaults[:1],
        *accurate[:1],
        results.choose(found, "best"),
        results.choose(found, "knee"),
    ]
    rest = sorted(
        candidates(found),
        key=lambda n: (n not in found.front, abs(chances.get(n, 0.0) - 0.5)),
    )
    return sorted(list(dict.fromkeys([*(t.number for t in named), *rest]))[:most])
