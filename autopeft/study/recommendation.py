"""What a study recommends, and how that does on rows that nothing was chosen by."""

from __future__ import annotations

import math

from autopeft import pareto
from autopeft.format import measured
from autopeft.types import Measured, Results, TrialRecord

SURE = 2.0
"""Standard errors beyond which a difference is not put down to chance."""


def recommended(results: Results) -> TrialRecord | None:
    """The smallest on the front within one standard error of the best; None without a front.

    The one-standard-error rule of Breiman et al. (1984): what is left to chance costs nothing.
    """
    trials = [results.trial(number) for number in results.front]
    if not trials:
        return None
    rows = [[t.objectives[o.name].value for o in results.objectives] for t in trials]
    directions = [o.direction for o in results.objectives]
    best = trials[pareto.smallest_within(rows, directions, 0.0)]
    error = best.objectives[results.objectives[0].name].error
    tolerance = error if math.isfinite(error) else 0.0
    return trials[pareto.smallest_within(rows, directions, tolerance)]


def confirmed(results: Results) -> list[str]:
    """One sentence per default: the confirmed difference of the recommended trial, with its error.

    Empty where the recommended trial has not been confirmed.
    """
    facts = (results.info.get("confirmation") or {}).get("against_defaults") or {}
    first = results.objectives[0]
    sign = 1.0 if first.direction == "maximize" else -1.0
    unit = "points" if first.unit == "%" else first.unit
    sentences = []
    for number, (value, error) in (facts.get("differences") or {}).items():
        words = "better by" if sign * value > 0 else "worse by" if value else "equal,"
        size = measured(Measured(abs(value), error), unit)
        doubt = ", which may be chance" if 0 < abs(value) < SURE * error else ""
        default = results.trial(int(number))
        sentences.append(
            f"recommended trial {facts['trial']} against {default.default} (trial {number}) on the "
            f"report split: {words} {size}{doubt}{_fewer(results.trial(facts['trial']), default)}"
        )
    return sentences


def _fewer(trial: TrialRecord, default: TrialRecord) -> str:
    """How many times fewer parameters, where it is more than a rounding."""
    mine, other = (t.measurements["trainable"].value for t in (trial, default))
    return f"; {other / mine:.1f} times fewer parameters" if 0 < 1.05 * mine < other else ""
