"""One run of a search: its first words, its progress, its end."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from autopeft import catalog
from autopeft.cli import output
from autopeft.cli.live import Listener, listener
from autopeft.cli.studies import VARIABLE
from autopeft.errors import Interrupted, NothingFits, UsageError
from autopeft.settings import Settings
from autopeft.study.path import default_path
from autopeft.types import Results


def run(
    settings: Settings, study: Path | None, command: str, *, quiet: bool, as_json: bool
) -> None:
    """Search under these settings, and print what was found.

    Raises:
        Interrupted: the user pressed Ctrl-C; the hint is the command that goes on.
        NothingFits: no trial is within the limits.
    """
    path = study or Path(os.environ.get(VARIABLE) or default_path(settings))
    progress = listener(quiet=quiet, as_json=as_json)
    _introduce(settings, path, progress)
    _check_names(settings)
    results = _search(settings, path, progress, command)
    _conclude(results, quiet=quiet, as_json=as_json)
    if not results.front:
        hint = f"`autopeft status {shlex.quote(str(path))}` says what happened"
        raise NothingFits("no finished trial is within the limits", hint=hint)


def _introduce(settings: Settings, path: Path, progress: Listener) -> None:
    """What is known before anything is loaded."""
    progress.fact("study", f"{path}, {'continuing' if path.exists() else 'new'}")
    data = settings.dataset or "docstring-origin"
    progress.fact("model", f"{settings.model or 'MiniLM-L6 (quickstart)'}, data {data}")
    if settings.budget < 100:
        progress.fact("budget", f"at most {settings.budget:g} % of the parameters trained")


def _check_names(settings: Settings) -> None:
    """Names that can be checked at once are, before a model is loaded.

    Raises:
        UsageError: there is no such space, sampler or objective.
    """
    catalog.spaces.load(settings.space)
    for shelf, names in (
        (catalog.samplers, (settings.sampler,)),
        (catalog.objectives, settings.objectives),
    ):
        for name in names:
            if name not in shelf.names():
                raise catalog.unknown(shelf.kind, name, shelf.names())
    if settings.device and settings.device.split(":")[0] not in ("cpu", "cuda"):
        raise UsageError(
            f"unknown device `{settings.device}`", hint="use `cpu`, `cuda` or `cuda:0`"
        )


def _search(settings: Settings, path: Path, progress: Listener, command: str) -> Results:
    """The search itself, with Ctrl-C and the display taken care of."""
    go_on = f"`{command}` goes on from here"
    try:
        with progress.interrupt:
            progress.note("loading libraries")
            from autopeft.search import search

            return search.run(settings, path, progress, command=command)
    except KeyboardInterrupt:
        raise Interrupted("at once; every finished trial is saved", hint=go_on) from None
    except Interrupted:
        raise Interrupted("after the pack; every finished trial is saved", hint=go_on) from None
    finally:
        progress.close()


def _conclude(results: Results, *, quiet: bool, as_json: bool) -> None:
    """The front on stdout, then what to think of it and what to do next."""
    from autopeft.cli import tables, verdict
    from autopeft.confirmation.front_probability import annotated
    from autopeft.study.recommendation import confirmed

    front = [results.trial(number) for number in results.front]
    if front and not as_json:
        output.show(tables.trial_table(results, front, tables.notes_on(results)))
    if quiet:
        return
    states = [trial.state for trial in results.trials]
    counts = [f"{len(states)} trials", f"{len(front)} on the front"]
    counts += [f"{states.count(s)} {s}" for s in ("stopped", "failed") if s in states]
    output.note("")
    output.fact("done", ", ".join(counts))
    output.note(verdict.error_bars(results))
    for sentence in [*verdict.against_defaults(annotated(results)), *confirmed(results)]:
        output.note(sentence)
    for sentence in results.info.get("health") or ():
        output.note(f"note: {output.sentence(str(sentence))}")
    if front:
        name = shlex.quote(results.study)
        output.hint(f"`autopeft report {name}` · `autopeft export {name} best --to train -o DIR`")
