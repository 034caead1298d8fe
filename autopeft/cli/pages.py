"""Read studies and write what a report is asked for: a page, a picture or a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autopeft.types import Results

PICTURES = (".svg", ".png", ".pdf")
TABLES = (".parquet", ".csv")
OTHERS = (*PICTURES, *TABLES)
"""Suffixes of what is no page."""


def read(paths: Sequence[Path]) -> list[Results]:
    """The studies, with P(on the front); several with the objectives that they share.

    Raises:
        StudyError: one cannot be read.
        UsageError: they have fewer than two objectives in common.
    """
    from autopeft.front_probability import annotated
    from autopeft.results import comparable, snapshot

    found = [snapshot(path) for path in paths]
    return [annotated(r) for r in (comparable(found) if len(found) > 1 else found)]


def text(paths: Sequence[Path], plotly: Any, refresh: int = 0) -> str:
    """The page about the studies."""
    from autopeft import catalog, report

    return report.render(read(paths), catalog.views.all(), plotly=plotly, refresh=refresh)


def write(paths: Sequence[Path], file: Path, plotly: Any, refresh: int = 0) -> None:
    """Write the page about the studies; with `refresh` seconds it loads itself again."""
    from autopeft import report

    report.write(text(paths, plotly, refresh), file, plotly=plotly)


def write_other(paths: Sequence[Path], file: Path) -> None:
    """Write the front as a picture, or all trials as a table, as the suffix says."""
    from autopeft import picture, trial_table

    found = read(paths)
    if file.suffix in TABLES:
        trial_table.write(found, file)
    else:
        picture.write(front_figure(found), file)


def front_figure(studies: Sequence[Results]) -> dict[str, Any]:
    """The figure of the front as the page draws it, the first of its choices.

    Raises:
        NothingFits: there is nothing to draw yet.
    """
    from autopeft import catalog
    from autopeft.errors import NothingFits

    view = catalog.views.load("front")
    if len(studies) > 1 and view.several is not None:
        data = view.several.data(studies)
    elif reason := view.unavailable(studies[0]):
        raise NothingFits(f"there is no front to draw: {reason}")
    else:
        data = view.data(studies[0])
    figures = next(iter(data["figures"].values()))
    found: dict[str, Any] = next(iter(figures.values()))
    return found
