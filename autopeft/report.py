"""One offline HTML file from the views of a study; the same results give the same bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Literal

from autopeft.errors import UsageError
from autopeft.types import Results, View

Carrier = Literal["inline", "cdn", "directory"]
"""How the page gets plotly.js: within itself, from plotly's site, or from a file beside it."""
CDN = "https://cdn.plot.ly"
SCRIPTS = (
    *("page.js", "table.js", "lora_config.js", "layers.js", "compare.js"),
    *("budget.js", "parallel.js", "figures.js"),
)
SCRIPT_FILE = "plotly.min.js"
SOURCES: dict[Carrier, str] = {"inline": "", "cdn": f" {CDN}", "directory": " 'self' file:"}
"""Where the page may load scripts from, beyond itself."""


def render(results: Results, views: Mapping[str, View], *, plotly: Carrier = "inline") -> str:
    """The whole page, its views in their `order`.

    Raises UsageError for an unknown way of carrying plotly.js.
    """
    if plotly not in SOURCES:
        raise UsageError(
            f"`{plotly}` is not a way to carry plotly.js", hint=f"use one of {', '.join(SOURCES)}"
        )
    ordered = dict(sorted(views.items(), key=lambda item: (item[1].order, item[0])))
    reasons = {name: view.unavailable(results) for name, view in ordered.items()}
    data = {name: view.data(results) for name, view in ordered.items() if not reasons[name]}
    sections = (section(results, name, view, reasons[name]) for name, view in ordered.items())
    return Template(asset("page.html")).substitute(
        policy=policy(plotly),
        title=escape(f"{results.study} \N{MIDDLE DOT} AutoPEFT"),
        heading=escape(results.study),
        styles=asset("page.css"),
        navigation="".join(
            f'<a href="#{escape(name)}">{escape(view.title)}</a>' for name, view in ordered.items()
        ),
        sections="\n".join(sections),
        data=packed("page-data", embedded(data)),
        plotly=plotly_tag(plotly) if any(view.get("figures") for view in data.values()) else "",
        script=f"(async () => {{\n{''.join(map(asset, SCRIPTS))}await page.start();\n}})();",
    )


def write(
    results: Results, views: Mapping[str, View], path: Path, *, plotly: Carrier = "inline"
) -> Path:
    """Write the page, and plotly.js beside it for `directory`; gives the path of the page.

    Raises UsageError when the path cannot be written.
    """
    page = render(results, views, plotly=plotly)
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
        if plotly == "directory":
            script = path.with_name(SCRIPT_FILE)
            script.write_text(plotly_script(), encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(
            f"`{path}` cannot be written: {error.strerror}", hint="name a file in a folder of yours"
        ) from error
    return path


def section(results: Results, name: str, view: View, reason: str) -> str:
    """One view with its heading and caption, or why it is not there."""
    title = f'<h2 id="{escape(name)}-title">{escape(view.title)}</h2>'
    body = f'<p class="unavailable">{escape(reason)}</p>'
    if not reason:
        body = f'<p class="caption">{escape(view.caption)}</p>\n{view.html(results)}'
    identity = f'id="{escape(name)}" aria-labelledby="{escape(name)}-title"'
    return f"<section {identity}>\n{title}\n{body}\n</section>"


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


def plotly_tag(plotly: Carrier) -> str:
    """The element that brings plotly.js."""
    if plotly == "directory":
        return f'<script src="{SCRIPT_FILE}"></script>'
    if plotly == "cdn":
        from plotly.offline import get_plotlyjs_version

        script = plotly_script().encode()
        integrity = base64.b64encode(hashlib.sha256(script).digest()).decode()
        source = f"{CDN}/plotly-{get_plotlyjs_version()}.min.js"
        return (
            f'<script src="{source}" integrity="sha256-{integrity}" crossorigin="anonymous">'
            "</script>"
        )
    return packed("plotly-gzip", plotly_script())


def packed(identity: str, text: str) -> str:
    """An element that holds the text compressed, as `unpacked` in `page.js` reads it."""
    made = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    return f'<script type="application/octet-stream" id="{identity}">{made}</script>'


def plotly_script() -> str:
    """plotly.js as the installed plotly carries it."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def asset(name: str) -> str:
    """The text of one of the page's own files."""
    return (files("autopeft.reports") / "assets" / name).read_text(encoding="utf-8")
