"""Read studies and write what a report is asked for: a page, a picture or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autopeft.plotly_carrier import Carrier
from autopeft.types import Results

PICTURES = (".svg", ".png", ".pdf")
TABLES = (".parquet", ".csv")
OTHERS = (*PICTURES, *TABLES)
"""Suffixes of what is no page."""


@dataclass(frozen=True)
class Asked:
    """What a report is asked to show."""

    paths: Sequence[Path]
    plotly: Carrier = "inline"
    yardsticks: Sequence[Mapping[str, Any]] = ()
    """Scores from elsewhere, as `yardsticks.parsed` gives them."""
    reference: Path | None = None
    """A random search to hold the progress of a single study against."""


def read(asked: Asked) -> list[Results]:
    """The studies, with P(on the front); several with the objectives that they share.

    Raises:
        StudyError: one cannot be read.
        UsageError: they have fewer than two objectives in common, or the reference has others.
    """
    from autopeft.confirmation.front_probability import annotated
    from autopeft.study.results import comparable, snapshot

    found = [snapshot(path) for path in asked.paths]
    found = [annotated(r) for r in (comparable(found) if len(found) > 1 else found)]
    beside: dict[str, Any] = {"yardsticks": list(asked.yardsticks)} if asked.yardsticks else {}
    if asked.reference:
        beside["reference"] = _reference(found[0], asked.reference)
    return [replace(r, info={**r.info, **beside}) for r in found]


def _reference(results: Results, path: Path) -> Results:
    """The random search with the objectives of the study."""
    from autopeft.errors import UsageError
    from autopeft.study.results import snapshot

    found = snapshot(path)
    if not set(results.objectives) <= set(found.objectives):
        names = ", ".join(o.name for o in results.objectives)
        raise UsageError(
            f"`{path}` lacks objectives of `{results.study}`",
            hint=f"it must be searched for {names} too",
        )
    return replace(found, objectives=results.objectives)


def text(asked: Asked, refresh: int = 0) -> str:
    """The page about the studies."""
    from autopeft import catalog, report

    return report.render(read(asked), catalog.views.all(), plotly=asked.plotly, refresh=refresh)


def write(asked: Asked, file: Path, refresh: int = 0) -> None:
    """Write the page about the studies; with `refresh` seconds it loads itself again."""
    from autopeft import report

    report.write(text(asked, refresh), file, plotly=asked.plotly)


def write_other(asked: Asked, file: Path) -> None:
    """Write the front as a picture, or all trials as a table, as the suffix says."""
    from autopeft import picture
    from autopeft.study import trial_table

    found = read(asked)
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
