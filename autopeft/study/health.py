"""What a reader must know before trusting a front: warnings in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autopeft.rank_correlation import Correlation
from autopeft.types import TrialRecord

RELATED = 0.3
"""Rank correlation that useful scores reach."""
SETTLED = 0.01
"""Expected gain in hypervolume per trial below which a front counts as stable."""
LATEST = 5
CROWDED = 0.5
"""Share of a space's points that leaves little to search."""
WEAK = 0.5
BINDING = 0.9


@dataclass(frozen=True)
class Explored:
    """How much of the space is known."""

    points: int
    """That the space holds; 0 when unknown."""
    tried: int
    gain: float | None
    """Share by which the next trial was expected to enlarge the hypervolume."""
    importance: Correlation | None
    warm_start: Correlation | None = None
    """Of what an earlier study lets expect with the scores."""


def expected_gain(gains: Sequence[float]) -> float | None:
    """The mean of what the latest model suggestions were expected to add; None without any."""
    latest = gains[-LATEST:]
    return sum(latest) / len(latest) if latest else None


def sentences(
    trials: Sequence[TrialRecord],
    front: Sequence[TrialRecord],
    *,
    budget_percent: float,
    learning_rates: Sequence[float],
    correlation: Correlation | None,
    space: Explored | None = None,
    unconfirmed: int = 0,
) -> list[str]:
    """Warnings about a study, most important first; `unconfirmed` counts points of the front."""
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
        judged = "may rank the trials otherwise than"
        if correlation.high < WEAK:
            weakly = correlation.value > 0
            judged = "rank the trials weakly like" if weakly else "do not rank the trials like"
        found.append(
            f"Scores at {correlation.share:.0%} of the steps {judged} those at the end "
            f"({_interval(correlation)}): differences within the error bars may not last."
        )
    if unconfirmed and len(trials) > 1:
        flattered = f"{unconfirmed} of {len(front)} points of the front have only the scores that"
        flattered += " chose them, which flatter"
        if unconfirmed == len(front):
            flattered = f"The best of {len(trials)} trials was chosen by the scores shown here, "
            flattered += "which flatter it"
        found.append(f"{flattered}: run autopeft confirm to score the front on the report split.")
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
            f"Importance scores are unrelated to accuracy here, at equal size "
            f"({_interval(scores)}, {scores.trials} trials)."
        )

    warm = space.warm_start
    if warm is not None:
        judged = "may help or not" if warm.high >= RELATED else "helps little here"
        judged = "guides the search well" if warm.low >= RELATED else judged
        yield (
            f"The warm start {judged}: its guesses against the scores of {warm.trials} trials, "
            f"{_interval(warm)}."
        )


def _interval(found: Correlation) -> str:
    return f"rank correlation {found.value:.2f}, 95 % interval {found.low:.2f} to {found.high:.2f}"


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
