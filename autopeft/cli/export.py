"""`autopeft export`: a configuration written for another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from autopeft.cli import options, output


def export(
    words: options.StudyAndTrial = None,
    to: Annotated[
        str,
        options.option(
            "--to", metavar="TARGET", help="What it is for; `autopeft list exporters` (required)"
        ),
    ] = "",
    folder: Annotated[
        str, options.option("-o", "--output", metavar="DIR", help="Folder to write (required)")
    ] = "",
    quiet: options.Quiet = False,
) -> None:
    """Write a configuration for another program.

    The trained weights come with it where the target holds them. What was written is read back
    and compared before the command ends.
    """
    from autopeft import catalog
    from autopeft.cli.studies import with_trial
    from autopeft.errors import UsageError

    path, which = with_trial(words or [], "export")
    if not to or not folder:
        missing = "a target: `--to`" if not to else "a folder: `-o DIR`"
        hint = f"targets are {', '.join(catalog.exporters.names())}"
        raise UsageError(f"export needs {missing}", hint=hint)
    if to not in catalog.exporters.names():
        raise catalog.unknown("export target", to, catalog.exporters.names())
    if not quiet:
        output.note(f"exporting trial {which} of {path} to {folder}")
    from autopeft.export.trial import export as write

    note = _silent if quiet else output.note
    for file in write(path, which, to, Path(folder), note):
        output.text(str(file))


def _silent(line: str) -> None:
    """Say nothing."""
