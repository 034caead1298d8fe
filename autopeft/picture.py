"""A figure of the report as a picture file, drawn by matplotlib: no browser, no network.

plotly itself draws pictures only through kaleido, which needs Chrome. The figure is the plain data
that the page draws, so that a picture and a page show the same points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft.errors import MissingError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, RESOLUTION = 9.0, 5.0, 160
"""Inches, inches, and dots per inch of a PNG."""
SYMBOLS = {"circle": "o", "circle-open": "o", "square": "s", "square-open": "s", "x": "x"}
STEPS = {"hv": "steps-post", "vh": "steps-pre"}
DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
PIXEL = 0.75
"""Points in a pixel of plotly."""


def write(figure: Mapping[str, Any], path: Path) -> Path:
    """Write the figure as `.svg`, `.png` or `.pdf`; the same figure gives the same bytes.

    Raises:
        MissingError: matplotlib is not installed.
        UsageError: the path cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingError(
            "a picture needs matplotlib", hint="`pip install matplotlib`, or write an .html page"
        ) from None
    with matplotlib.rc_context({"svg.hashsalt": "autopeft", "svg.fonttype": "none"}):
        canvas = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        draw(figure, canvas.add_subplot())
        undated = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        metadata = {"CreationDate": None} if path.suffix == ".pdf" else undated
        try:
            canvas.savefig(path, dpi=RESOLUTION, metadata=metadata)
        except OSError as error:
            raise UsageError(
                f"`{path}` cannot be written: {error.strerror}",
                hint="name a file in a folder of yours",
            ) from error
    return path


def draw(figure: Mapping[str, Any], axes: Axes) -> None:
    """Draw the traces and axes of a scatter figure."""
    for trace in figure["data"]:
        if trace.get("meta") != "selection" and len(trace.get("x") or ()):
            draw_line(trace, axes) if trace["mode"] == "lines" else draw_points(trace, axes)
    layout = figure["layout"]
    axes.set_xlabel(plain(layout["xaxis"]["title"]["text"]))
    axes.set_ylabel(plain(layout["yaxis"]["title"]["text"]))
    axes.set_xlim(*layout["xaxis"]["range"])
    axes.set_ylim(*layout["yaxis"]["range"])
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)


def draw_line(trace: Mapping[str, Any], axes: Axes) -> None:
    """A staircase; named only where the page names it."""
    line = trace["line"]
    axes.plot(
        trace["x"],
        [float("nan") if y is None else y for y in trace["y"]],
        color=line["color"],
        linewidth=PIXEL * line.get("width", 2),
        linestyle=DASHES[line.get("dash", "solid")],
        drawstyle=STEPS[line.get("shape", "hv")],
        alpha=trace.get("opacity", 1.0),
        label=None if trace.get("showlegend") is False else plain(trace.get("name", "")),
    )


def draw_points(trace: Mapping[str, Any], axes: Axes) -> None:
    """Markers with their error bars and names; open symbols stay open."""
    marker = trace["marker"]
    symbols = of_each(marker.get("symbol", "circle"), trace)
    sizes = of_each(marker.get("size", 6), trace)
    label: str | None = plain(trace.get("name", ""))
    for x, y, symbol, size in zip(trace["x"], trace["y"], symbols, sizes, strict=True):
        axes.plot(
            [x],
            [y],
            SYMBOLS[symbol],
            color=marker["color"],
            markersize=PIXEL * size,
            markerfacecolor="none" if symbol.endswith("-open") else marker["color"],
            linestyle="none",
            label=label,
        )
        label = None
    errors = {
        name[-1] + "err": trace[name]["array"] for name in ("error_x", "error_y") if name in trace
    }
    if errors:
        axes.errorbar(
            trace["x"], trace["y"], **errors, fmt="none", ecolor=marker["color"], elinewidth=0.7
        )
    beside = of_each(trace.get("textposition", "bottom right"), trace)
    for x, y, text, place in zip(
        trace["x"], trace["y"], trace.get("text") or (), beside, strict=False
    ):
        draw_name(plain(text), (x, y), place, axes=axes)


def draw_name(text: str, point: tuple[float, float], place: str, *, axes: Axes) -> None:
    """A name on that side of its point, such as `top left`."""
    height, _, side = place.partition(" ")
    right, up = side == "right", {"top": 1, "bottom": -1}.get(height, 0)
    axes.annotate(
        text,
        point,
        xytext=(5 if right else -5, 5 * up),
        textcoords="offset points",
        ha="left" if right else "right",
        va={1: "bottom", -1: "top"}.get(up, "center"),
        fontsize=7,
    )


def of_each(value: Any, trace: Mapping[str, Any]) -> Sequence[Any]:
    """One value for each point, where plotly may have one for all."""
    return value if isinstance(value, list | tuple) else [value] * len(trace["x"])


def plain(text: str) -> str:
    """Text of plotly without its markup; `$` would begin a formula."""
    return unescape(re.sub(r"<br>", " ", str(text))).replace("$", r"\$")
