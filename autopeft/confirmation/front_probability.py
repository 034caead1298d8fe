"""P(on the front): how often a trial stays on the Pareto front when its scores are drawn again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopeft import catalog, pareto
from autopeft.confirmation.paired_bootstrap import RESAMPLES, SEED, Draws, Score, correlation, draws
from autopeft.errors import UsageError
from autopeft.types import ObjectiveInfo, Results, TrialRecord

MOST = 200
"""Trials that are drawn: those nearest the front; all others are farther than they."""
FAR = 3.0
"""Standard errors behind the front, beyond which a trial is not drawn."""
TINY = 1e-24
"""Variance of what is exact."""
PAIRED = 40
"""Trials of the front and defaults whose correlations are kept."""


@dataclass(frozen=True)
class FrontProbability:
    """Trial number -> P(on the front), and how it was found, in a sentence."""

    trials: Mapping[int, float]
    how: str


def annotated(results: Results) -> Results:
    """The results with `front_probability` and `paired` in their `info`, as plain data."""
    near = _near(results)
    found = _draws(results, near)
    probability = _probability(results, near, found)
    facts = {"trials": dict(probability.trials), "how": probability.how}
    info = {**results.info, "front_probability": facts, "paired": _paired(results, near, found)}
    return replace(results, info=info)


def estimate(results: Results) -> FrontProbability:
    """P(on the front) of the trials that may be on it; every other one has less than 1 %."""
    near = _near(results)
    return _probability(results, near, _draws(results, near))


def _draws(results: Results, near: Sequence[TrialRecord]) -> Draws:
    name = results.objectives[0].name if results.objectives else ""
    return draws(near, name, results.info.get("validation_labels") or (), _score(results))


def _score(results: Results) -> Score | None:
    """The study's metric; None where the task is not known here."""
    try:
        metrics = catalog.tasks.load(str(results.info.get("task"))).metrics
    except UsageError:
        return None
    metric = metrics.get(str(results.info.get("metric")))
    return metric.value if metric else None


def _near(results: Results) -> list[TrialRecord]:
    """The finished trials within the limits that may be on the front, in their order."""
    able = [t for t in results.trials if t.state == "complete" and t.feasible and _finite(t)]
    gaps = _gaps(able, results.objectives)
    close = sorted((gap, i) for i, gap in enumerate(gaps) if gap < FAR)[:MOST]
    return [able[i] for i in sorted(i for _, i in close)]


def _finite(trial: TrialRecord) -> bool:
    values = [m.value for m in trial.objectives.values()]
    return bool(values) and all(math.isfinite(value) for value in values)


def _gaps(trials: Sequence[TrialRecord], objectives: Sequence[ObjectiveInfo]) -> list[float]:
    """Standard errors by which each trial is behind the best that costs no more; 0 on the front."""
    import numpy as np

    if not trials:
        return []
    values, errors = _table(trials, objectives)
    costs, variances = np.ascontiguousarray(values[:, 1:].T), errors[:, 0] ** 2
    gaps = []
    for i in range(len(trials)):
        cheaper = (costs >= costs[:, i, None]).all(axis=0)
        spread = np.sqrt(np.fmax(variances + variances[i], TINY))
        ahead = (values[:, 0] - values[i, 0]) / spread
        gaps.append(float(ahead.max(where=cheaper, initial=0.0)))
    return gaps


def _table(trials: Sequence[TrialRecord], objectives: Sequence[ObjectiveInfo]) -> tuple[Any, Any]:
    """Gains (more is better) and errors, [trials, objectives]."""
    import numpy as np

    signs = [1.0 if o.direction == "maximize" else -1.0 for o in objectives]
    found = [[t.objectives[o.name] for o in objectives] for t in trials]
    values = np.array([[s * m.value for s, m in zip(signs, row, strict=True)] for row in found])
    return values, np.array([[m.error for m in row] for row in found])


def _probability(results: Results, near: Sequence[TrialRecord], found: Draws) -> FrontProbability:
    if not near:
        return FrontProbability({}, "")
    replicates = _replicates(results, near, found)
    shares = {t.number: pareto.chance(replicates, i) for i, t in enumerate(near)}
    return FrontProbability(shares, _how(results, found))


def _replicates(results: Results, near: Sequence[TrialRecord], found: Draws) -> Any:
    """Gains drawn again, [objectives, resamples, trials]; what is exact stays as it is."""
    import numpy as np

    values, errors = _table(near, results.objectives)
    drawn = np.repeat(values.T[:, None], RESAMPLES, axis=1)
    sign = 1.0 if results.objectives[0].direction == "maximize" else -1.0
    drawn[0] += sign * found.noise
    generator = np.random.default_rng([SEED, 1])
    finite = np.where(np.isfinite(errors[:, 1:]), errors[:, 1:], 0.0)
    noise = finite * generator.normal(size=(RESAMPLES, *finite.shape))
    drawn[1:] += np.moveaxis(noise, 2, 0)
    return drawn


def _how(results: Results, found: Draws) -> str:
    rows = len(results.info.get("validation_labels") or ())
    paired = sum(found.paired)
    if not paired:
        return (
            f"{RESAMPLES} draws of independent normal errors, as the study holds no labels to "
            "pair its predictions with"
        )
    words = f"{RESAMPLES} resamples of the {rows} validation rows, the same for all trials"
    rest = len(found.paired) - paired
    return f"{words}; independent normal errors for {rest} of the trials" if rest else words


def _paired(results: Results, near: Sequence[TrialRecord], found: Draws) -> dict[str, Any]:
    """Correlations between the trials of the front and the defaults."""
    import numpy as np

    kept = [
        i
        for i, t in enumerate(near)
        if found.paired[i] and (t.number in results.front or t.default)
    ][:PAIRED]
    part = Draws(found.noise[:, kept], (True,) * len(kept)) if kept else Draws(np.zeros((1, 0)), ())
    return {"trials": [near[i].number for i in kept], "correlation": correlation(part)}
