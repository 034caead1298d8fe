"""`autopeft report`: one HTML file about one study or several; also a picture, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopeft.cli import options, output

if TYPE_CHECKING:
    from autopeft.cli.pages import Asked

REFRESH = 20
"""Seconds after which a watched page loads itself again."""


def report(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY]...",
            show_default=False,
            help="Studies' .journal files [default: $AUTOPEFT_STUDY, else the only one here]",
        ),
    ] = None,
    target: Annotated[
        str,
        options.option(
            "-o",
            "--output",
            metavar="FILE",
            help="A page (.html), the front as a picture (.svg, .png, .pdf) or all trials as a"
            " table (.parquet, .csv); - for the page on stdout [default: STUDY with .html]",
        ),
    ] = "",
    plotly: Annotated[
        str,
        options.option(
            "--plotly",
            metavar="HOW",
            help="Carry plotly.js inline (2 MB, works offline), cdn or directory [default: inline]",
        ),
    ] = "inline",
    yardsticks: Annotated[
        list[str] | None,
        options.option(
            "--yardstick",
            metavar="NAME=SCORE",
            help="A score from elsewhere as a line in the front, such as 'full"
            " fine-tuning=89.1±0.4'; repeatable",
        ),
    ] = None,
    reference: Annotated[
        str,
        options.option(
            "--reference",
            metavar="STUDY",
            help="A random search of the same task, drawn into the progress of one study",
        ),
    ] = "",
    watch: Annotated[
        bool,
        options.option(
            "--watch", help="Write the page again as the search goes on; it refreshes itself"
        ),
    ] = False,
    show: Annotated[bool, options.option("--open", help="Open it in a browser")] = False,
) -> None:
    """Write one HTML file about a study, or about several side by side.

    It holds the front, the configurations and how they were found, and needs no network.
    """
    from autopeft.cli import pages
    from autopeft.cli.watching import follow

    _check(target, plotly, watch=watch, show=show)
    asked = _asked(studies or [""], plotly, yardsticks=yardsticks or [], reference=reference)
    file = Path(target) if target else _beside(asked.paths)
    if target == "-":
        output.text(pages.text(asked))
    elif file.suffix in pages.OTHERS:
        pages.write_other(asked, file)
    else:
        output.note(f"writing the report of {', '.join(map(str, asked.paths))}")
        pages.write(asked, file, refresh=REFRESH if watch else 0)
    if target != "-":
        output.text(str(file))
    if show:
        typer.launch(str(file.resolve()))
    if watch:
        follow([*asked.paths], lambda last: pages.write(asked, file, 0 if last else REFRESH))


def _asked(
    studies: Sequence[str], plotly: str, *, yardsticks: Sequence[str], reference: str
) -> Asked:
    """What the options ask for; a UsageError where a value is not one."""
    from autopeft import catalog
    from autopeft.cli.pages import Asked
    from autopeft.cli.studies import find
    from autopeft.cli.yardsticks import parsed
    from autopeft.errors import UsageError
    from autopeft.plotly_carrier import SOURCES

    if plotly not in SOURCES:
        raise catalog.unknown("way to carry plotly.js", plotly, list(SOURCES))
    if reference and len(studies) > 1:
        raise UsageError(
            "`--reference` goes with one study", hint="name the random search as another study"
        )
    return Asked(
        [find(name) for name in studies],
        plotly,
        [parsed(text) for text in yardsticks],
        find(reference) if reference else None,
    )


def _check(target: str, plotly: str, *, watch: bool, show: bool) -> None:
    """Whether the options go together."""
    from autopeft.cli.pages import OTHERS
    from autopeft.errors import UsageError

    if target == "-" and (show or watch or plotly == "directory"):
        raise UsageError("`-o -` cannot be opened or watched, nor have a file beside it")
    if Path(target).suffix in OTHERS and watch:
        raise UsageError(f"`--watch` writes pages; `{target}` is none", hint="name an .html file")


def _beside(paths: Sequence[Path]) -> Path:
    """Where the page goes when nothing is said."""
    return paths[0].with_suffix(".html") if len(paths) == 1 else Path("studies.html")
