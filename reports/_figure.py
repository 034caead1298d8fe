"""What the figures of all views share: colours, axes and paper that lets the page through."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

BLUE, ORANGE, PURPLE, GREY, TEAL = "#1f7ac4", "#c4581a", "#a35db0", "#808890", "#12897b"
"""At least 3 : 1 against white and against the dark paper."""
CLEAR = "rgba(0,0,0,0)"
Trace = dict[str, Any]


def figure(traces: Sequence[Trace], **layout: Any) -> dict[str, Any]:
    """The figure as plain data, checked by plotly."""
    import plotly.graph_objects as go

    made = [getattr(go, str(t.get("type", "scatter")).capitalize())(**t) for t in traces]
    drawn: dict[str, Any] = go.Figure(made, {**paper(), **layout}).to_plotly_json()
    return drawn


def paper() -> dict[str, Any]:
    """A legend above, no margins to speak of, and the page's own paper."""
    return {
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "hovermode": "closest",
    }


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its title; markup in it is escaped."""
    return {"title": {"text": escape(title, quote=False)}, "automargin": True, **more}


def selection() -> Trace:
    """An empty trace; the page moves it onto the selected trial."""
    circle = {"symbol": "circle-open", "size": 18, "color": ORANGE, "line": {"width": 3}}
    return {
        "x": [],
        "y": [],
        "mode": "markers",
        "marker": circle,
        "meta": "selection",
        "hoverinfo": "skip",
        "showlegend": False,
    }


def trial_points(numbers: Sequence[int], x: Sequence[float], y: Sequence[float]) -> Trace:
    """Points that select their trial when clicked; the page fills in the words they show."""
    return {
        "x": list(x),
        "y": list(y),
        "mode": "markers",
        "customdata": list(numbers),
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
