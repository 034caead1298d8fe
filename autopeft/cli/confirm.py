"""`autopeft confirm`: how sure the front is, by other seeds on rows that nothing was chosen by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from autopeft.cli import options, output
from autopeft.cli.options import option

if TYPE_CHECKING:
    from autopeft.confirmation.standing import Standing
    from autopeft.types import Results


def confirm(
    study: options.Study = "",
    seeds: Annotated[
        int, option("--seeds", metavar="N", help="Most trainings of each candidate [default: 5]")
    ] = 5,
    timeout: Annotated[
        str,
        option(
            "--timeout",
            metavar="TIME",
            help="Start no more packs after 90s, 30min or 2h [default: no limit]",
        ),
    ] = "",
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Train the front again with other seeds, on the report split.

    The front, the defaults and what may be on the front are trained with two new seeds, and with
    more as long as their places are in doubt. The same command again goes on.
    """
    from autopeft import budget as units
    from autopeft.cli.live import listener
    from autopeft.cli.studies import find
    from autopeft.confirmation.confirming import confirm as train
    from autopeft.confirmation.standing import LEAST_SEEDS
    from autopeft.errors import UsageError

    if seeds < LEAST_SEEDS:
        raise UsageError(f"`--seeds {seeds}` must be at least {LEAST_SEEDS}: one tells no spread")
    limit = units.seconds(timeout) if timeout else 0.0
    progress = listener(quiet=quiet, as_json=False)
    try:
        with progress.interrupt:
            results, standings = train(find(study), seeds=seeds, progress=progress, timeout=limit)
    finally:
        progress.close()
    if json:
        output.show_json({"schema": "autopeft.confirm/1", "trials": _data(results, standings)})
        return
    if standings:
        _show(results, standings)
    if standings and not quiet:
        _explain(results, standings)


def _show(results: Results, standings: Sequence[Standing]) -> None:
    from autopeft.describe import describe
    from autopeft.format import measured, quantity

    first = results.objectives[0]
    heads = ["trial", f"{first.label.lower()} {first.unit}".rstrip(), "in the search", "parameters"]
    rows = []
    for standing in standings:
        trial = results.trial(standing.number)
        share = 100 * trial.measurements["trainable"].value / results.backbone.parameters
        score = standing.score
        rows.append(
            [
                str(standing.number),
                "diverged" if math.isnan(score.value) else measured(score, ""),
                measured(trial.objectives[first.name], ""),
                quantity(share, "%"),
                f"{standing.chance:.0%}",
                str(standing.seeds),
                describe(trial.configuration, results.backbone),
                trial.default,
            ]
        )
    heads += ["on the front", "seeds", "modules", "default"]
    output.show(output.Table(heads, rows, frozenset({0, 1, 2, 3, 4, 5})))


def _explain(results: Results, standings: Sequence[Standing]) -> None:
    """What was measured on what, and what is still open."""
    from autopeft.study.recommendation import confirmed

    rows = (results.info.get("splits") or {}).get("report", "the")
    output.note("")
    output.note(
        f"\N{PLUS-MINUS SIGN} is one standard error over {rows} rows of the report split and over "
        "seeds; no choice was made by these rows"
    )
    for sentence in confirmed(results):
        output.note(sentence)
    doubtful = [str(s.number) for s in standings if not s.settled]
    if doubtful:
        output.note(f"in doubt: {', '.join(doubtful)}; `--seeds` allows more trainings")
    else:
        output.note("the place of every candidate is settled")


def _data(results: Results, standings: Sequence[Standing]) -> list[dict[str, Any]]:
    return [
        {
            "trial": s.number,
            "value": None if math.isnan(s.score.value) else s.score.value,
            "error": None if math.isnan(s.score.error) else s.score.error,
            "seeds": s.seeds,
            "front_probability": s.chance,
            "settled": s.settled,
        }
        for s in standings
    ]
