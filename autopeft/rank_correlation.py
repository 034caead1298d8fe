"""Spearman's rank correlation of what was guessed with what came out, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft.types import TrialRecord

if TYPE_CHECKING:
    import numpy as np

LEAST_TRIALS = 8
LEAST_SCORED = 20
"""Trials below which importance scores are not judged."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation with a 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    trials: int
    share: float
    """Of the steps, at which the early score was taken."""


def early_correlation(trials: Sequence[TrialRecord]) -> Correlation | None:
    """How well the score at the last rung but one ranks trials by their last; None if too few."""
    curves = [t.provenance.get("curve", []) for t in trials if t.state == "complete"]
    curves = [curve for curve in curves if len(curve) > 1]
    if len(curves) < LEAST_TRIALS:
        return None
    share = curves[0][-2]["step"] / curves[0][-1]["step"]
    return _ranked(*([c[i]["score"] for c in curves] for i in (-2, -1)), share=share)


def guess_correlation(
    trials: Sequence[TrialRecord], guesses: Sequence[float | None], *, sign: float
) -> Correlation | None:
    """How well guesses made before training rank the trials by their score; None if too few.

    Args:
        trials: of a study.
        guesses: one for each, larger for what is expected to be better; None where there is none.
        sign: 1 where the trained objective is maximised, -1 where it is minimised.
    """
    pairs = zip(trials, guesses, strict=True)
    kept = [(g, sign * _first(t)) for t, g in pairs if t.state == "complete" and g is not None]
    if len(kept) < LEAST_TRIALS:
        return None
    return _ranked([guess for guess, _ in kept], [score for _, score in kept], share=1.0)


def _ranked(
    guesses: Sequence[float], scores: Sequence[float], *, share: float
) -> Correlation | None:
    """The correlation of two columns; None where one of them does not vary."""
    import numpy as np
    from scipy.stats import rankdata

    columns = np.array([guesses, scores])
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(scores), size=(RESAMPLES, len(scores)))
    samples = _pearson(*rankdata(columns[:, chosen], axis=-1))
    found = samples[np.isfinite(samples)]
    value = float(_pearson(*rankdata(columns, axis=-1)))
    if not np.isfinite(value) or not len(found):
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    return Correlation(value, float(low), float(high), len(scores), share)


def importance_correlation(
    trials: Sequence[TrialRecord], worths: Sequence[float]
) -> Correlation | None:
    """How importance ranks trials of equal size and learning rate by score; None if too few.

    Spearman's correlation of what scores say a trial is worth with its score, after the ranks of
    parameters and learning rate are taken out of both.
    """
    import numpy as np
    from scipy.stats import rankdata

    pairs = zip(trials, worths, strict=True)
    kept = [(t, w) for t, w in pairs if t.state == "complete" and t.configuration.placements]
    if len(kept) < LEAST_SCORED:
        return None
    columns = np.array([[w, _first(t), *_known(t)] for t, w in kept])
    drawn = np.random.default_rng(0).integers(len(kept), size=(RESAMPLES // 2, len(kept)))
    samples = np.concatenate([np.arange(len(kept))[None], drawn])
    found = _partial(rankdata(columns[samples], axis=1))
    usual = found[1:][np.isfinite(found[1:])]
    if not np.isfinite(found[0]) or not len(usual):
        return None
    low, high = np.percentile(usual, [2.5, 97.5])
    return Correlation(float(found[0]), float(low), float(high), len(kept), 1.0)


def _first(trial: TrialRecord) -> float:
    """The trained objective."""
    return next(iter(trial.objectives.values())).value


def _known(trial: TrialRecord) -> tuple[float, float]:
    return trial.measurements["trainable"].value, trial.configuration.learning_rate


def _partial(ranks: np.ndarray) -> np.ndarray:
    """Correlation of the first two columns after regressing both on the others, per sample.

    Args:
        ranks: shape samples x trials x columns.
    """
    import numpy as np

    both, others = ranks[..., :2], ranks[..., 2:]
    others = np.concatenate([np.ones_like(others[..., :1]), others], axis=-1)
    rest = both - others @ (np.linalg.pinv(others, rcond=1e-12) @ both)
    return _pearson(rest[..., 0], rest[..., 1])


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation along the last dimension; NaN where one of the two does not vary."""
    import numpy as np

    a, b = (x - x.mean(-1, keepdims=True) for x in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return found
