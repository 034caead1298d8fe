"""`autopeft show`: one configuration, site by site."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from autopeft.cli import options, output

if TYPE_CHECKING:
    from autopeft.types import Results, TrialRecord


FORMATS = ("text", "yaml", "json", "python")


def show(
    words: options.StudyAndTrial = None,
    style: Annotated[
        str,
        options.option(
            "--format", metavar="FORMAT", help="text, yaml, json or python [default: text]"
        ),
    ] = "text",
    against: Annotated[
        str,
        options.option(
            "--against", metavar="TRIAL", help="Show how it differs from this trial of the study"
        ),
    ] = "",
) -> None:
    """Show one configuration, site by site.

    The knee is where more parameters begin to pay little; the smallest, which is recommended, is
    the smallest within one standard error of the best.
    """
    from autopeft.catalog import unknown
    from autopeft.cli.studies import with_trial
    from autopeft.confirmation.front_probability import annotated
    from autopeft.errors import UsageError
    from autopeft.study.results import choose, snapshot

    if style not in FORMATS:
        raise unknown("format", style, list(FORMATS))
    if against and style != "text":
        raise UsageError("`--against` is for reading: leave `--format` out")
    path, which = with_trial(words or [], "show")
    results = snapshot(path)
    trial = choose(results, which)
    if against:
        _compare(annotated(results), trial, choose(results, against))
    elif style == "text":
        _text(results, trial)
    else:
        _file(results, trial, style)


def _file(results: Results, trial: TrialRecord, style: str) -> None:
    """The configuration in a format that can be kept."""
    from autopeft.cli.lora_config import python_text

    if style == "python":
        output.text(python_text(results, trial))
        return
    data = _data(results, trial)
    if style == "json":
        output.show_json(data)
        return
    import yaml

    output.text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100).rstrip())


def _data(results: Results, trial: TrialRecord) -> dict[str, Any]:
    from autopeft.cli.records import record

    return {
        "schema": "autopeft.trial/1",
        "study": results.study,
        "model": results.info.get("model"),
        "dataset": results.info.get("dataset"),
        **record(trial, results.backbone),
        "on_front": trial.number in results.front,
        "curve": trial.provenance.get("curve", []),
        "shipped": trial.provenance.get("shipped"),
    }


def _text(results: Results, trial: TrialRecord) -> None:
    from autopeft.cli.anatomy import facts_of, site_table
    from autopeft.cli.verdict import error_bars
    from autopeft.describe import as_shipped

    output.show(output.facts(facts_of(results, trial)))
    if trial.configuration.placements:
        output.text("")
        output.show(site_table(as_shipped(trial), results.backbone))
    output.note(error_bars(results))
    output.hint(
        f"`autopeft export {quote(results.study)} {trial.number} --to train -o DIR` writes it"
    )


def _compare(results: Results, trial: TrialRecord, other: TrialRecord) -> None:
    from autopeft.cli.anatomy import changes_table, comparison_table
    from autopeft.cli.verdict import error_bars

    output.show(comparison_table(results, trial, other))
    changed = changes_table(results, trial, other)
    if changed.rows:
        output.text("")
        output.show(changed)
    output.note(error_bars(results))
