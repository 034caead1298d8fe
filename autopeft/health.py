"""What a reader must know before trusting a front: warnings in sentences, and rank correlation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft.types import TrialRecord

if TYPE_CHECKING:
    import numpy as np

LEAST_TRIALS = 8
LEAST_SCORED = 20
"""Trials below which importance scores are not judged."""
RELATED = 0.3
"""Rank correlation that useful scores reach."""
SETTLED = 0.01
"""Expected gain in hypervolume per trial below which a front counts as stable."""
LATEST = 5
CROWDED = 0.5
"""Share of a space's points that leaves little to search."""
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


@dataclass(frozen=True)
class Explored:
    """How much of the space is known."""

    points: int
    """That the space holds; 0 when unknown."""
    tried: int
    gain: float | None
    """Share by which the next trial was expected to enlarge the hypervolume."""
    importance: Correlation | None


def expected_gain(gains: Sequence[float]) -> float | None:
    """The mean of what the latest model suggestions were expected to add; None without any."""
    latest = gains[-LATEST:]
    return sum(latest) / len(latest) if latest else None


def early_correlation(trials: Sequence[TrialRecord]) -> Correlation | None:
    """How well the score part of the way ranks the trials by their last score; None if too few."""
    import numpy as np
    from scipy.stats import rankdata

    curves = [t.provenance.get("curve", []) for t in trials if t.state == "complete"]
    curves = [curve for curve in curves if len(curve) > 1]
    if len(curves) < LEAST_TRIALS:
        return None
    scores = np.array([[c[i]["score"] for c in curves] for i in (0, -1)])
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(curves), size=(RESAMPLES, len(curves)))
    samples = _pearson(*rankdata(scores[:, chosen], axis=-1))
    found = samples[np.isfinite(samples)]
    value = float(_pearson(*rankdata(scores, axis=-1)))
    if not np.isfinite(value) or not len(found):
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    share = curves[0][0]["step"] / curves[0][-1]["step"]
    return Correlation(value, float(low), float(high), len(curves), share)


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
    samples = [np.arange(len(kept))]
    rng = np.random.default_rng(0)
    samples += [rng.integers(len(kept), size=len(kept)) for _ in range(RESAMPLES // 2)]
    found = [_partial(rankdata(columns[chosen], axis=0)) for chosen in samples]
    usual = [value for value in found[1:] if np.isfinite(value)]
    if not np.isfinite(found[0]) or not usual:
        return None
    low, high = np.percentile(usual, [2.5, 97.5])
    return Correlation(found[0], float(low), float(high), len(kept), 1.0)


def _first(trial: TrialRecord) -> float:
    """The trained objective."""
    return next(iter(trial.objectives.values())).value


def _known(trial: TrialRecord) -> tuple[float, float]:
    return trial.measurements["trainable"].value, trial.configuration.learning_rate


def _partial(ranks: np.ndarray) -> float:
    """Correlation of the first two columns after regressing both on the others."""
    import numpy as np

    others = np.column_stack([np.ones(len(ranks)), ranks[:, 2:]])
    fitted, *_ = np.linalg.lstsq(others, ranks[:, :2], rcond=None)
    rest = ranks[:, :2] - others @ fitted
    return float(_pearson(*rest.T))


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation along the last dimension; NaN where one of the two does not vary."""
    import numpy as np

    a, b = (x - x.mean(-1, keepdims=True) for x in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return found


def sentences(
    trials: Sequence[TrialRecord],
    front: Sequence[TrialRecord],
    *,
    budget_percent: float,
    learning_rates: Sequence[float],
    correlation: Correlation | None,
    space: Explored | None = None,
    confirmed: bool = False,
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
        found.append(
            "The budget binds: the most accurate point uses the whole budget, a larger one may do "
            "better."
        )
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
    if len(trials) > 1 and front and not confirmed:
        found.append(
            f"The best of {len(trials)} trials was chosen by the scores shown here, so they "
            "flatter it: run autopeft confirm to score it on the report split."
        )
    gain = space.gain if space else None
    if front and (unsettled := _unsettled(trials, front, gain)):
        found.append(f"The front is not yet stable: {unsettled}.")
    return [*found, *(_about_space(space) if space else ())]


def _about_space(space: Explored) -> Iterator[str]:
    if space.points and space.tried >= CROWDED * space.points:
        yield (
            f"The space is too small: {space.tried} of its {space.points} points have been tried; "
            "more values or dimensions leave something to search."
        )
    scores = space.importance
    if scores is not None and scores.high < RELATED:
        yield (
            f"Importance scores are unrelated to accuracy here: at equal size their rank "
            f"correlation is {scores.value:.2f} (95 % interval {scores.low:.2f} to "
            f"{scores.high:.2f}, {scores.trials} trials)."
        )


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


def _unsettled(
    trials: Sequence[TrialRecord], front: Sequence[TrialRecord], gain: float | None
) -> str:
    """Why the front may still move, or an empty string."""
    if gain is not None:
        if gain < SETTLED:
            return ""
        much = f"add {gain:.0%} to its hypervolume" if gain < 1 else "move it far"
        return f"the next trial is expected to {much}"
    late = max(t.number for t in front) > max(t.number for t in trials) - LATEST
    return "its newest point came in the last five trials" if late and len(trials) > 10 else ""
