"""Which dimensions of the space decide an objective: PED-ANOVA (Watanabe et al. 2023).

Computed by Optuna on the trials of a snapshot, among the values that were tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from autopeft.study.journal import quiet
from autopeft.types import ObjectiveInfo, TrialRecord, Value

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LEAST_TRIALS = 20
"""Below this the shares are noise."""
QUANTILE = 0.2
"""The best share of the trials, which is told apart from all of them."""
MOST_TRIALS = 1000
"""Trials that are looked at; of more, an even choice, as the shares hardly change."""


def usable(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The finished trials that are points of the space."""
    return [t for t in trials if t.state == "complete" and t.point]


def importances(trials: Sequence[TrialRecord], objective: ObjectiveInfo) -> dict[str, float]:
    """Dimension -> share of the importance, most important first; empty where nothing varies.

    The shares say what tells the best fifth of the trials by this objective from the rest.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    known = [t for t in usable(trials) if math.isfinite(t.objectives[objective.name].value)]
    known = known[:: math.ceil(len(known) / MOST_TRIALS) or 1]
    choices = _choices(known)
    if len(known) < LEAST_TRIALS or not choices:
        return {}
    sign = -1.0 if objective.direction == "maximize" else 1.0
    values = [sign * t.objectives[objective.name].value for t in known]
    if max(values) <= sorted(values)[math.ceil(QUANTILE * len(values)) - 1]:
        return {}
    with quiet():
        study = optuna.create_study()
        study.add_trials([_frozen(t, v, choices) for t, v in zip(known, values, strict=True)])
        evaluator = PedAnovaImportanceEvaluator(target_quantile=QUANTILE)
        found = get_param_importances(study, evaluator=evaluator, params=list(choices))
    return {name: float(share) for name, share in found.items()}


def _choices(trials: Sequence[TrialRecord]) -> Mapping[str, list[Value]]:
    """The values tried of every dimension that all points have and that varies."""
    names = [n for n in (trials[0].point if trials else {}) if all(n in t.point for t in trials)]
    tried = {n: sorted({t.point[n] for t in trials}, key=_order) for n in names}
    return {name: values for name, values in tried.items() if len(values) > 1}


def _order(value: Value) -> tuple[bool, float, str]:
    return (isinstance(value, str), 0.0 if isinstance(value, str) else float(value), str(value))


def _frozen(trial: TrialRecord, value: float, choices: Mapping[str, list[Value]]) -> FrozenTrial:
    import optuna

    return optuna.trial.create_trial(
        params={name: trial.point[name] for name in choices},
        distributions={
            name: optuna.distributions.CategoricalDistribution(values)
            for name, values in choices.items()
        },
        value=value,
    )
