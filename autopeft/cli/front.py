"""`autopeft front`: the Pareto front as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Annotated

from autopeft.cli import options, output

if TYPE_CHECKING:
    from autopeft.types import ObjectiveInfo, Results, TrialRecord


def front(
    study: options.Study = "",
    x: Annotated[
        str, options.option("--x", metavar="OBJECTIVE", help="Front of this objective and --y only")
    ] = "",
    y: Annotated[str, options.option("--y", metavar="OBJECTIVE", help="See --x")] = "",
    every: Annotated[bool, options.option("--all", help="Every finished trial")] = False,
    limit: Annotated[
        int, options.option("--limit", metavar="N", help="Most rows, evenly spread [default: all]")
    ] = 0,
    json: options.Json = False,
    csv: Annotated[bool, options.option("--csv", help="Print comma-separated values")] = False,
) -> None:
    """Show the Pareto front as a table."""
    from autopeft.cli.studies import find
    from autopeft.errors import NothingFits, UsageError
    from autopeft.study.results import snapshot

    if json and csv:
        raise UsageError("`--json` and `--csv` exclude each other")
    if limit < 0:
        raise UsageError(f"`--limit {limit}` must be a whole number above 0")
    results = _pair(snapshot(find(study)), x, y)
    found = _finished(results) if every else [results.trial(n) for n in results.front]
    shown = _spread(found, limit)
    _print(results, shown, json=json, csv=csv)
    if not shown:
        raise NothingFits(
            _why_empty(results), hint=f"`autopeft status {quote(results.study)}` says more"
        )
    if not json and not csv:
        _explain(results, found, shown)


def _pair(results: Results, x: str, y: str) -> Results:
    """The results with only the objectives asked for, and their front."""
    from autopeft.errors import UsageError
    from autopeft.study.results import front_of

    if not x and not y:
        return results
    if not (x and y) or x == y:
        raise UsageError("`--x` and `--y` name two different objectives", hint="give both")
    # The first objective is the one that a front is read by, whichever axis it is drawn on.
    kept = tuple(o for o in results.objectives if o in (_named(results, x), _named(results, y)))
    return replace(results, objectives=kept, front=front_of(results.trials, kept))


def _named(results: Results, name: str) -> ObjectiveInfo:
    from autopeft.catalog import unknown

    for objective in results.objectives:
        if objective.name == name:
            return objective
    raise unknown("objective", name, [objective.name for objective in results.objectives])


def _finished(results: Results) -> list[TrialRecord]:
    return [trial for trial in results.trials if trial.state == "complete"]


def _spread(found: Sequence[TrialRecord], limit: int) -> list[TrialRecord]:
    """At most that many, evenly spread, with both ends."""
    if not limit or limit >= len(found):
        return list(found)
    if limit == 1:
        return [found[-1]]
    step = (len(found) - 1) / (limit - 1)
    return [found[round(i * step)] for i in range(limit)]


def _print(results: Results, shown: Sequence[TrialRecord], *, json: bool, csv: bool) -> None:
    from autopeft.cli import records, tables

    if json:
        output.show_json(
            {
                "schema": "autopeft.front/1",
                "study": results.study,
                "objectives": records.objectives(results),
                "front": records.records(results, shown),
            }
        )
    elif csv:
        output.text(tables.csv_text(results, shown))
    elif shown:
        output.show(tables.trial_table(results, shown, tables.notes_on(results)))


def _explain(results: Results, found: Sequence[TrialRecord], shown: Sequence[TrialRecord]) -> None:
    from autopeft.cli.verdict import error_bars

    count = f"{len(results.front)} on the front"
    output.note(count if len(shown) == len(found) else f"{count}, {len(shown)} shown")
    output.note(error_bars(results))


def _why_empty(results: Results) -> str:
    finished = _finished(results)
    if not results.trials:
        return f"`{results.study}` has no trial yet"
    if not finished:
        failed = sum(trial.state == "failed" for trial in results.trials)
        return f"no trial of `{results.study}` has a result; {failed} failed"
    return f"none of the {len(finished)} finished trials is within the limits"
