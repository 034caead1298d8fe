"""Which configurations are trained on after a rung: those that may still end on the front.

What a rung says of the end is learned from the study's own fully trained trials (`forecast`). A
configuration is stopped when that takes half of the chance that it had before it was begun. So all
that is expected on the front goes on, however wide that is; a rung that foretells nothing stops
next to nothing; and what costs less than all others is never stopped.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from autopeft.rungs.forecast import Early, Forecast, forecast
from autopeft.types import Direction, Measured, TrialRecord

LEFT = 0.5
"""Share of the chance before a configuration was begun, below which it is stopped."""


@dataclass(frozen=True)
class Reached:
    """A trial at a rung."""

    number: int
    early: Early
    costs: tuple[float, ...]
    """The objectives after the trained one, signed so that less is better."""


@dataclass(frozen=True)
class Finished:
    """A fully trained trial."""

    number: int
    early: Early
    final: Measured
    """Of the trained objective, signed so that more is better."""
    costs: tuple[float, ...]
    """The other objectives, signed so that less is better."""


@dataclass(frozen=True)
class Outlook:
    """What to expect of training a configuration to the end."""

    final: Measured
    """Of the trained objective, signed, with the standard deviation of the prediction."""
    chance: float
    """That nothing finished is both better and no dearer; 1 when nothing is no dearer."""
    unknown: float
    """That chance before the configuration was begun."""
    rival: int | None
    """The best trial that is no dearer."""

    @property
    def left(self) -> float:
        """Share of the chance before that is left; 1 where there was none to lose."""
        return self.chance / self.unknown if self.unknown else 1.0

    @property
    def hopeless(self) -> bool:
        """Whether going on is not worth its time."""
        return self.left < LEFT

    @property
    def words(self) -> str:
        """What speaks against going on."""
        now, before = map(_percent, (self.chance, self.unknown))
        return f"{now} chance to end above trial {self.rival}, which costs no more; {before} before"


def _percent(chance: float) -> str:
    return f"{chance:.0%}" if chance >= 0.01 else "under 1 %"


def early(point: Mapping[str, Any]) -> Early:
    """From one point of a trial's `curve`."""
    return Early(int(point["step"]), float(point["score"]), float(point["train_loss"]))


def stopped(
    trials: Sequence[TrialRecord],
    *,
    directions: Sequence[Direction],
    costs: Callable[[TrialRecord], Sequence[float]],
) -> list[Reached]:
    """Those stopped, at their last rung; not those whose configuration was trained again.

    Args:
        trials: of which the first objective is the trained one.
        directions: of all objectives.
        costs: values of the objectives after the first.
    """
    last = {trial.digest: trial.number for trial in trials}
    return [
        Reached(
            trial.number,
            early(trial.provenance["curve"][-1]),
            losses(costs(trial), directions[1:]),
        )
        for trial in trials
        if trial.state == "stopped" and last[trial.digest] == trial.number
    ]


def finished(
    trials: Sequence[TrialRecord],
    step: int,
    *,
    directions: Sequence[Direction],
    costs: Callable[[TrialRecord], Sequence[float]],
) -> list[Finished]:
    """Those within the limits that were trained to the end and scored at that step on the way.

    Args:
        trials: of which the first objective is the trained one.
        step: where the rung ends.
        directions: of all objectives.
        costs: values of the objectives after the first.
    """
    return [
        Finished(
            trial.number,
            early(point),
            unsigned(next(iter(trial.objectives.values())), directions[0]),
            losses(costs(trial), directions[1:]),
        )
        for trial in trials
        if trial.state == "complete" and trial.feasible and _last(trial) > step
        for point in trial.provenance["curve"]
        if point["step"] == step
    ]


def _last(trial: TrialRecord) -> int:
    """The last step at which the trial was scored."""
    return max((int(point["step"]) for point in trial.provenance.get("curve", ())), default=0)


def losses(values: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    """The values, signed so that less is better."""
    pairs = zip(values, directions, strict=True)
    return tuple(value if d == "minimize" else -value for value, d in pairs)


def unsigned(value: Measured, direction: Direction) -> Measured:
    """A gain as its objective states it, and the other way round."""
    return value if direction == "maximize" else Measured(-value.value, value.error)


def expected(finished: Sequence[Finished]) -> Forecast | None:
    """What the rung says of the end; None while too few are fully trained to say."""
    return forecast([trial.early for trial in finished], [trial.final for trial in finished])


def outlook(early: Early, costs: Sequence[float], finished: Sequence[Finished]) -> Outlook | None:
    """The chance to end ahead of all that are no dearer, by Student's t of the forecast.

    None while too few are fully trained to say.
    """
    found = expected(finished)
    if found is None:
        return None
    final, rivals = found.of(early), _rivals(costs, finished)
    if not rivals:
        return Outlook(final, 1.0, 1.0, None)
    best = max(rivals, key=lambda trial: (trial.final.value, -trial.number))
    distance = (best.final.value - final.value) / max(final.error, 1e-12)
    chance = float(stats.t.sf(distance, found.freedom))
    return Outlook(final, chance, _unknown(best, finished), best.number)


def _unknown(best: Finished, finished: Sequence[Finished]) -> float:
    """The chance that one more of the values that trials end with is beyond that one."""
    ends = [trial.final.value for trial in finished]
    spread = statistics.stdev(ends) * math.sqrt(1 + 1 / len(ends))
    distance = (best.final.value - statistics.fmean(ends)) / max(spread, 1e-12)
    return float(stats.t.sf(distance, len(ends) - 1))


def replay(trials: Sequence[Finished]) -> list[Finished]:
    """The fully trained trials that the rule would have stopped, each judged by all the others."""
    stopped = []
    for index, trial in enumerate(trials):
        others = [*trials[:index], *trials[index + 1 :]]
        expected = outlook(trial.early, trial.costs, others)
        if expected is not None and expected.hopeless:
            stopped.append(trial)
    return stopped


def _rivals(costs: Sequence[float], finished: Sequence[Finished]) -> list[Finished]:
    """The trials that are no dearer."""
    return [
        trial
        for trial in finished
        if all(theirs <= mine for theirs, mine in zip(trial.costs, costs, strict=True))
    ]
