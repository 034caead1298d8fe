"""`autopeft report`: one HTML file about a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autopeft.cli import options, output


def report(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY]",
            show_default=False,
            help="A study's .journal file [default: $AUTOPEFT_STUDY, else the only one here]",
        ),
    ] = None,
    target: Annotated[
        str,
        options.option(
            "-o", "--output", metavar="FILE", help="- for stdout [default: STUDY with .html]"
        ),
    ] = "",
    plotly: Annotated[
        str,
        options.option(
            "--plotly",
            metavar="HOW",
            help="Carry plotly.js inline (4.5 MB, works offline), cdn or directory"
            " [default: inline]",
        ),
    ] = "inline",
    show: Annotated[bool, options.option("--open", help="Open it in a browser")] = False,
) -> None:
    """Write one HTML file about a study.

    It holds the front, the configurations and how they were found, and needs no network.
    """
    from autopeft import catalog
    from autopeft import report as page
    from autopeft.cli.studies import find
    from autopeft.errors import UsageError
    from autopeft.front_probability import annotated
    from autopeft.results import snapshot

    if plotly not in page.SOURCES:
        raise catalog.unknown("way to carry plotly.js", plotly, list(page.SOURCES))
    named = studies or [""]
    if len(named) > 1:
        raise UsageError("a report holds one study", hint="write one report for each")
    path = find(named[0])
    results = annotated(snapshot(path))
    if target == "-":
        if show or plotly == "directory":
            raise UsageError("`-o -` cannot be opened, nor have a file beside it")
        output.text(page.render(results, catalog.views.all(), plotly=plotly))
        return
    output.note(f"writing the report of {path}")
    file = Path(target) if target else path.with_suffix(".html")
    output.text(str(page.write(results, catalog.views.all(), file, plotly=plotly)))
    if show:
        typer.launch(str(file.resolve()))
