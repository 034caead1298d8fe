"""Read a study into an immutable snapshot, without its model or its data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft import pareto, rank_correlation
from autopeft.errors import NothingFits, UsageError
from autopeft.rank_correlation import Correlation
from autopeft.scoring.worth import Worth
from autopeft.study import about, health
from autopeft.study.ledger import Ledger
from autopeft.study.recommendation import recommended
from autopeft.types import (
    Configuration,
    Measured,
    ObjectiveInfo,
    Results,
    TrialRecord,
    TrialState,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

STATES: Mapping[str, TrialState] = {
    "COMPLETE": "complete",
    "PRUNED": "stopped",
    "FAIL": "failed",
}


def snapshot(path: Path) -> Results:
    """The study as it is now.

    Raises:
        StudyError: there is no such study, or it is not readable.
    """
    return read(Ledger.open(path))


def trials_of(ledger: Ledger) -> tuple[TrialRecord, ...]:
    """The trials of an open study."""
    facts = ledger.about
    objectives = about.objectives(facts)
    return tuple(_record(trial, objectives, facts) for trial in ledger.trials())


def read(ledger: Ledger) -> Results:
    """The results of an open study."""
    facts = ledger.about
    objectives = about.objectives(facts)
    trials = trials_of(ledger)
    front = front_of(trials, objectives)
    correlation = rank_correlation.early_correlation(trials)
    gains = [t.user_attrs.get("expected_gain") for t in ledger.trials()]
    gain = health.expected_gain([known for known in gains if known is not None])
    explored = health.Explored(
        points=facts.get("space_size", 0),
        tried=len({trial.digest for trial in trials if trial.point}),
        gain=gain,
        importance=_importance(ledger, trials),
        warm_start=_warm_start(ledger, trials, objectives),
    )
    info = {
        **{k: v for k, v in facts.items() if k not in ("backbone", "objectives")},
        "expected_gain": gain,
        "proxy_correlation": None if correlation is None else asdict(correlation),
        "health": health.sentences(
            trials,
            [t for t in trials if t.number in front],
            budget_percent=facts["budget_percent"],
            learning_rates=facts["learning_rates"],
            correlation=correlation,
            space=explored,
            unconfirmed=_unconfirmed(ledger, front),
        ),
        "seconds": sum(
            t.measurements["seconds"].value for t in trials if "seconds" in t.measurements
        ),
        "command": ledger.recall("command") or "",
        "trials": ledger.recall("trials"),
        "validation_labels": ledger.recall("validation_labels") or [],
        "importance": ledger.recall_all("importance:"),
        "confirmation": ledger.recall("confirmation"),
    }
    return Results(str(ledger.path), objectives, trials, front, about.backbone(facts), info)


def _unconfirmed(ledger: Ledger, front: Sequence[int]) -> int:
    """Points of the front that were not trained anew on the report split."""
    known = (ledger.recall("confirmation") or {}).get("trials") or {}
    return len({str(number) for number in front} - set(known))


def _warm_start(
    ledger: Ledger, trials: Sequence[TrialRecord], objectives: Sequence[ObjectiveInfo]
) -> Correlation | None:
    """How well an earlier study's guesses rank the trials."""
    guesses = [trial.user_attrs.get("guess") for trial in ledger.trials()]
    sign = 1.0 if objectives[0].direction == "maximize" else -1.0
    return rank_correlation.guess_correlation(trials, guesses, sign=sign)


def _importance(ledger: Ledger, trials: Sequence[TrialRecord]) -> Correlation | None:
    """How well importance scores rank the trials."""
    stored = ledger.recall("worth")
    if stored is None:
        return None
    worth = Worth(**stored)
    return rank_correlation.importance_correlation(
        trials, [worth.of(t.configuration) for t in trials]
    )


def _record(
    trial: FrozenTrial, objectives: Sequence[ObjectiveInfo], facts: Mapping[str, Any]
) -> TrialRecord:
    attributes = trial.user_attrs
    record = attributes.get("record") or {}
    measured = {name: Measured(*pair) for name, pair in record.get("measurements", {}).items()}
    state = STATES.get(trial.state.name, "running")
    pairs = zip(objectives, trial.values or (), attributes.get("errors") or (), strict=False)
    return TrialRecord(
        number=trial.number,
        state=state,
        origin=attributes["origin"],
        configuration=Configuration.from_json(attributes["configuration"]),
        objectives={o.name: Measured(value, error) for o, value, error in pairs},
        feasible=within_limits(measured, facts),
        point=dict(trial.params),
        measurements=measured,
        provenance=record.get("provenance", {}),
        message=attributes.get("message", ""),
        digest=attributes["digest"],
    )


def within_limits(measured: Mapping[str, Measured], facts: Mapping[str, Any]) -> bool:
    """Whether the parameters are within the budget, and the memory within its limit."""
    if "trainable" not in measured:
        return True
    allowed = facts["budget_percent"] / 100 * measured["frozen"].value
    known = measured.get("memory_measured", measured.get("memory_predicted"))
    memory = known.value if known else 0.0
    limit = facts["memory_limit"] or math.inf
    return measured["trainable"].value <= allowed and memory <= limit


def front_of(trials: Sequence[TrialRecord], objectives: Sequence[ObjectiveInfo]) -> tuple[int, ...]:
    """Numbers of the trials on the Pareto front, smallest second objective first."""
    usable = [t for t in trials if t.state == "complete" and t.feasible]
    values = [[t.objectives[o.name].value for o in objectives] for t in usable]
    kept = [usable[i] for i in pareto.front(values, [o.direction for o in objectives])]
    key = objectives[min(1, len(objectives) - 1)].name
    ordered = sorted(kept, key=lambda t: (t.objectives[key].value, t.number))
    return tuple(t.number for t in ordered)


def comparable(studies: Sequence[Results]) -> list[Results]:
    """The studies with only the objectives that all of them have, and their fronts among those.

    Raises:
        UsageError: fewer than two objectives are in all of them.
    """
    common = [o for o in studies[0].objectives if all(o in r.objectives for r in studies)]
    if len(common) < 2:
        names = ", ".join(f"`{results.study}`" for results in studies)
        raise UsageError(
            f"{names} have fewer than two objectives in common", hint="write a report for each"
        )
    kept = tuple(common)
    return [replace(r, objectives=kept, front=front_of(r.trials, kept)) for r in studies]


def hypervolume(results: Results) -> float:
    """Share of the box between the worst and best values seen that the front covers, 0 to 1."""
    names = [o.name for o in results.objectives]
    done = [t for t in results.trials if t.state == "complete"]
    rows = [[t.objectives[n].value for n in names] for t in done if t.feasible]
    if len(rows) < 2:
        return 0.0
    directions = [o.direction for o in results.objectives]
    scaled = [_scaled(column) for column in zip(*rows, strict=True)]
    worst = [0.0 if d == "maximize" else 1.0 for d in directions]
    return pareto.hypervolume(list(zip(*scaled, strict=True)), worst, directions)


def _scaled(column: Sequence[float]) -> list[float]:
    low, high = min(column), max(column)
    return [(value - low) / (high - low) if high > low else 0.5 for value in column]


def choose(results: Results, which: str) -> TrialRecord:
    """The trial that `best`, `knee`, `smallest` or a number stands for.

    The smallest is what is recommended: the smallest within one standard error of the best.

    Raises:
        UsageError: no trial is called that, or it has not finished.
        NothingFits: the front is empty.
    """
    if which.isdigit():
        return _numbered(results, int(which))
    if which not in ("best", "knee", "smallest"):
        raise UsageError(f"`{which}` is not a trial", hint="use best, knee, smallest or a number")
    front = [results.trial(number) for number in results.front]
    found = recommended(results)
    if found is None:
        raise NothingFits(f"`{results.study}` has no finished trial within its limits")
    values = [[t.objectives[o.name].value for o in results.objectives] for t in front]
    directions = [o.direction for o in results.objectives]
    if which == "best":
        return front[pareto.smallest_within(values, directions, 0.0)]
    if which == "knee":
        return front[pareto.knee(values, directions)]
    return found


def _numbered(results: Results, number: int) -> TrialRecord:
    try:
        trial = results.trial(number)
    except KeyError:
        last = max((t.number for t in results.trials), default=None)
        hint = "no trial has been asked yet" if last is None else f"there are trials 0 to {last}"
        raise UsageError(f"`{results.study}` has no trial `{number}`", hint=hint) from None
    if trial.state != "complete":
        reason = trial.message or "it is still running"
        raise UsageError(f"trial `{number}` has no result: {reason}")
    return trial
