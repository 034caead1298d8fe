"""One offline HTML file from the views of a study; the same results give the same bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from autopeft.errors import UsageError
from autopeft.plotly_carrier import SCRIPT_FILE, SOURCES, Carrier, packed, plotly_script, plotly_tag
from autopeft.types import Results, View

SCRIPTS = (
    *("page.js", "table.js", "lora_config.js", "configuration.js", "layers.js"),
    *("compare.js", "budget.js", "parallel.js", "watch.js"),
    "figures.js",
)


@dataclass(frozen=True)
class Section:
    """One section as it stands in the page."""

    name: str
    title: str
    body: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def html(self) -> str:
        """The section with its heading."""
        name, title = escape(self.name), escape(self.title)
        heading = f'<h2 id="{name}-title">{title}</h2>'
        opening = f'<section id="{name}" aria-labelledby="{name}-title">'
        return f"{opening}\n{heading}\n{self.body}\n</section>"


def render(
    studies: Results | Sequence[Results],
    views: Mapping[str, View],
    *,
    plotly: Carrier = "inline",
    refresh: int = 0,
) -> str:
    """The whole page, its views in their `order`; with `refresh` seconds it loads itself again.

    Several studies must have the same objectives, as `results.comparable` makes them.

    Raises UsageError for an unknown way of carrying plotly.js.
    """
    if plotly not in SOURCES:
        raise UsageError(
            f"`{plotly}` is not a way to carry plotly.js", hint=f"use one of {', '.join(SOURCES)}"
        )
    several = [studies] if isinstance(studies, Results) else list(studies)
    sections = sections_of(several[0], views) if len(several) == 1 else compared(several, views)
    heading = " and ".join(results.study for results in several)
    data = {section.name: section.data for section in sections if section.data}
    figures = any(section.data.get("figures") for section in sections)
    return Template(asset("page.html")).substitute(
        policy=policy(plotly),
        refresh=str(refresh),
        again=f'<noscript><meta http-equiv="refresh" content="{refresh}"></noscript>'
        * bool(refresh),
        title=escape(f"{heading} \N{MIDDLE DOT} AutoPEFT"),
        heading=escape(heading),
        styles=asset("page.css"),
        navigation="".join(
            f'<a href="#{escape(section.name)}">{escape(section.title)}</a>' for section in sections
        ),
        sections="\n".join(section.html() for section in sections),
        data=packed("page-data", embedded(data)),
        plotly=plotly_tag(plotly) if figures else "",
        script=f"(async () => {{\n{''.join(map(asset, SCRIPTS))}await page.start();\n}})();",
    )


def ordered(views: Mapping[str, View]) -> dict[str, View]:
    """The views as they follow each other."""
    return dict(sorted(views.items(), key=lambda item: (item[1].order, item[0])))


def sections_of(results: Results, views: Mapping[str, View]) -> list[Section]:
    """The views of one study; one that cannot be drawn says why."""
    made = []
    for name, view in ordered(views).items():
        if reason := view.unavailable(results):
            body = f'<p class="unavailable">{escape(reason)}</p>'
            made.append(Section(name, view.title, body))
        else:
            body = f"{caption(view.caption)}\n{view.html(results)}"
            made.append(Section(name, view.title, body, view.data(results)))
    return made


def compared(studies: Sequence[Results], views: Mapping[str, View]) -> list[Section]:
    """The views that lay several studies side by side."""
    return [
        Section(
            name,
            view.title,
            f"{caption(view.several.caption)}\n{view.several.html(studies)}",
            view.several.data(studies),
        )
        for name, view in ordered(views).items()
        if view.several is not None
    ]


def caption(text: str) -> str:
    """The line that says how to read a view."""
    return f'<p class="caption">{escape(text)}</p>'


def write(page: str, path: Path, *, plotly: Carrier = "inline") -> Path:
    """Write the page whole or not at all, and plotly.js beside it for `directory`.

    Raises UsageError when the path cannot be written.
    """
    try:
        replace_text(path, page)
        if plotly == "directory":
            replace_text(path.with_name(SCRIPT_FILE), plotly_script())
    except OSError as error:
        raise UsageError(
            f"`{path}` cannot be written: {error.strerror}", hint="name a file in a folder of yours"
        ) from error
    return path


def replace_text(path: Path, text: str) -> None:
    """Put the text in the place of the file at once: a browser may be reading it."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def policy(plotly: Carrier) -> str:
    """The content security policy: nothing from outside but the script asked for."""
    return (
        f"default-src 'none'; script-src 'unsafe-inline'{SOURCES[plotly]}; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )


def embedded(data: Any) -> str:
    """The data as JSON without blanks."""
    return json.dumps(plain(data), allow_nan=False, ensure_ascii=True, separators=(",", ":"))


def plain(data: Any) -> Any:
    """The data without plotly's template, and null where a number is not finite."""
    if isinstance(data, Mapping):
        return {str(key): plain(value) for key, value in data.items() if key != "template"}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data


def asset(name: str) -> str:
    """The text of one of the page's own files."""
    return (files("autopeft.reports") / "assets" / name).read_text(encoding="utf-8")
