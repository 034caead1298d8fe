"""What a reader must know before trusting a front: warnings in sentences, and rank correlation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autopeft.types import TrialRecord

LEAST_TRIALS = 8
RESAMPLES = 1000
WEAK = 0.5
BINDING = 0.9


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
    """How well the score part of the way ranks the trials by their last score; None if too few."""
    import numpy as np
    from scipy.stats import rankdata

    curves = [t.provenance.get("curve", []) for t in trials if t.state == "complete"]
    curves = [curve for curve in curves if len(curve) > 1]
    if len(curves) < LEAST_TRIALS:
        return None
    early, late = (np.array([c[i]["score"] for c in curves]) for i in (0, -1))
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(curves), size=len(curves))
        samples.append(_spearman(rankdata(early[chosen]), rankdata(late[chosen])))
    found = [s for s in samples if np.isfinite(s)]
    value = _spearman(rankdata(early), rankdata(late))
    if not np.isfinite(value) or not found:
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    share = curves[0][0]["step"] / curves[0][-1]["step"]
    return Correlation(float(value), float(low), float(high), len(curves), share)


def _spearman(a: object, b: object) -> float:
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(np.asarray(a), np.asarray(b))[0, 1])


def sentences(
    trials: Sequence[TrialRecord],
    front: Sequence[TrialRecord],
    *,
    budget_percent: float,
    learning_rates: Sequence[float],
    correlation: Correlation | None,
) -> list[str]:
    """Warnings about a study, most important first."""
    found = []
    failed = [t for t in trials if t.state == "failed"]
    if failed:
        found.append(f"{len(failed)} of {len(trials)} trials failed; the table says why.")
    if front and (tied := _tied(front)) > 1:
        found.append(
            f"{tied} points of the front are within one standard error of the most accurate: "
            "take the smallest of them."
        )
    if _binds(front, budget_percent):
        found.append("The most accurate point uses the whole budget: a larger one may do better.")
    if front and _best(front).configuration.learning_rate in (learning_rates or ()):
        found.append(
            "The most accurate point is at an end of the learning rates of the space: a wider "
            "range may do better."
        )
    if correlation is not None and correlation.low < WEAK:
        found.append(
            f"Scores at {correlation.share:.0%} of the steps rank the trials weakly like those at "
            f"the end ({correlation.value:.2f}, 95 % interval {correlation.low:.2f} to "
            f"{correlation.high:.2f}): differences within the error bars may not last."
        )
    if len(trials) > 1 and front:
        found.append(
            f"The best of {len(trials)} trials was chosen by the scores shown here, so they "
            "flatter it: score it on the report split before quoting a number."
        )
    if front and _late(trials, front):
        found.append("The front is not yet stable: its newest point came in the last five trials.")
    return found


def _best(front: Sequence[TrialRecord]) -> TrialRecord:
    """The most accurate; the first objective is always the trained one."""
    return max(front, key=lambda t: next(iter(t.objectives.values())).value)


def _tied(front: Sequence[TrialRecord]) -> int:
    scores = [next(iter(t.objectives.values())) for t in front]
    best = max(scores, key=lambda m: m.value)
    return sum(m.value >= best.value - best.error for m in scores)


def _binds(front: Sequence[TrialRecord], budget_percent: float) -> bool:
    if not front or budget_percent >= 100:
        return False
    best = _best(front)
    used = best.measurements["trainable"].value / best.measurements["frozen"].value
    return 100 * used >= BINDING * budget_percent


def _late(trials: Sequence[TrialRecord], front: Sequence[TrialRecord]) -> bool:
    return len(trials) > 10 and max(t.number for t in front) >= max(t.number for t in trials) - 4
