"""The difference of two trials that were scored on the same rows, with its standard error.

Both are right and wrong on much the same rows, so that their difference is surer than their two
error bars say. `front_probability.annotated` finds the correlations.
"""

from __future__ import annotations

import math

from autopeft.types import Measured, ObjectiveInfo, Results, TrialRecord


def difference(
    results: Results, a: TrialRecord, b: TrialRecord, objective: ObjectiveInfo
) -> Measured:
    """`a` less `b` in an objective; NaN where one has no value.

    For another objective than the first, and for trials whose correlation is not known, the errors
    are taken to be independent.
    """
    nothing = Measured(math.nan)
    left, right = (trial.objectives.get(objective.name, nothing) for trial in (a, b))
    common = 2 * correlation(results, a, b, objective) * left.error * right.error
    variance = left.error**2 + right.error**2 - common
    return Measured(left.value - right.value, math.sqrt(max(variance, 0.0)))


def correlation(
    results: Results, a: TrialRecord, b: TrialRecord, objective: ObjectiveInfo
) -> float:
    """Correlation of the errors of two trials; 0 where it is not known."""
    known = results.info.get("paired") or {"trials": []}
    if objective != results.objectives[0] or not {a.number, b.number} <= set(known["trials"]):
        return 0.0
    row, column = (known["trials"].index(trial.number) for trial in (a, b))
    return float(known["correlation"][row][column])
