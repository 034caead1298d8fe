"""Resampled scores of trials that were scored on the same rows: the noise they share, kept.

Two configurations are right and wrong on much the same rows, so that their difference is surer
than their two error bars say. Every resample draws rows once, for all trials (Efron 1979; paired
as in Koehn 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autopeft.types import TrialRecord

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 500
SEED = 0
Score = Callable[[Any, Any], float]
"""(predictions, labels) -> score, as `types.Metric.value`."""


@dataclass(frozen=True)
class Draws:
    """Deviations of the first objective from its recorded value."""

    noise: np.ndarray
    """[resamples, trials], in the objective's own unit."""
    paired: tuple[bool, ...]
    """For each trial whether its rows were resampled; otherwise its error is an independent one."""


def draws(
    trials: Sequence[TrialRecord], name: str, labels: Sequence[float], score: Score | None
) -> Draws:
    """Deviations of the objective `name`, from common rows wherever predictions and labels allow.

    What the rows do not explain of an error, such as the spread over seeds, is added as
    independent normal noise.
    """
    import numpy as np

    truth = np.asarray(labels)
    generator = np.random.default_rng(SEED)
    rows = generator.integers(0, max(len(truth), 1), size=(RESAMPLES, len(truth)))
    columns, paired = [], []
    for trial in trials:
        found = trial.objectives[name].error
        resampled = _resampled(trial, truth, rows, score)
        common = _scaled(resampled, trial, name)
        paired.append(resampled is not None)
        columns.append(common + _remainder(trial, found, common))
    noise = np.stack(columns, axis=1) if columns else np.zeros((RESAMPLES, 0))
    return Draws(noise, tuple(paired))


def _resampled(trial: TrialRecord, truth: Any, rows: Any, score: Score | None) -> Any | None:
    """Deviations [resamples] of the score over the drawn rows; None where they cannot be had."""
    import numpy as np

    predictions = np.asarray(trial.provenance.get("predictions") or ())
    curve = trial.provenance.get("curve") or [{}]
    recorded = curve[-1].get("score")
    if score is None or recorded is None or not len(truth) or predictions.shape != truth.shape:
        return None
    # Labels of another split or order would give another score.
    if not np.isclose(score(predictions, truth), recorded, rtol=1e-6, atol=1e-9):
        return None
    values = np.array([score(predictions[drawn], truth[drawn]) for drawn in rows])
    return values - recorded


def _scaled(resampled: Any | None, trial: TrialRecord, name: str) -> Any:
    """The deviations in the unit of the objective: percent where the score is a fraction."""
    import numpy as np

    if resampled is None:
        return np.zeros(RESAMPLES)
    score, objective = trial.measurements.get("score"), trial.objectives[name]
    known = score is not None and score.error > 0 and objective.error > 0
    return resampled * (objective.error / score.error if known and score else 1.0)


def _remainder(trial: TrialRecord, error: float, common: Any) -> Any:
    """Independent noise for the part of the error that the rows do not explain."""
    import numpy as np

    several = len(trial.provenance.get("seeds") or ()) > 1
    explained = float(common.var())
    if not np.isfinite(error) or (explained and not several):
        return np.zeros(RESAMPLES)
    rest = max(error**2 - explained, 0.0) ** 0.5
    return np.random.default_rng([SEED, trial.number]).normal(0.0, 1.0, RESAMPLES) * rest


def correlation(found: Draws) -> list[list[float]]:
    """Correlation of the deviations of every two trials, 0 where one of them has none."""
    import numpy as np

    spread = found.noise.std(axis=0)
    scaled = (found.noise - found.noise.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    matrix = scaled.T @ scaled / max(len(found.noise), 1)
    rows: list[list[float]] = np.round(matrix, 3).tolist()
    return rows
