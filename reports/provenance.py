"""Provenance: what would be needed to repeat the study."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from autopeft.format import count_text
from autopeft.types import Comparison, Results, View

from . import _shared as shared
from ._side_by_side import differences_html

ORDER = (
    "model",
    "dataset",
    "task",
    "space",
    "budget_percent",
    "metric",
    "splits",
    "rows",
    "seeds",
    "protocol",
    "device",
    "versions",
    "digests",
)
"""Entries that come first; the rest follows by name."""
ELSEWHERE = (
    "command",
    "health",
    "validation_labels",
    "importance",
    "front_probability",
    "paired",
    "confirmation",
    "proxy_correlation",
    "reference",
)
"""Entries that are shown in another form."""


def html(results: Results) -> str:
    """The command that repeats the study, then every recorded fact."""
    command = results.info.get("command")
    facts = {"study": results.study, "backbone": backbone(results), **ordered(results.info)}
    parts = [definitions(facts)]
    if command:
        parts.insert(0, f"<h3>Repeat it</h3>{shared.command_html(str(command))}")
    return "\n".join(parts)


def backbone(results: Results) -> dict[str, Any]:
    """What the study knows of the frozen model."""
    found = results.backbone
    return {
        "name": found.name,
        "family": found.family,
        "layers": len(found.layers),
        "sites": len(found.sites),
        "frozen weights": count_text(found.parameters),
        "head weights": count_text(found.head_parameters),
    }


def ordered(info: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of the study's information in reading order."""
    known = [name for name in ORDER if name in info]
    rest = sorted(name for name in info if name not in ORDER and name not in ELSEWHERE)
    return {name: info[name] for name in known + rest}


def definitions(entries: Mapping[str, Any]) -> str:
    """A definition list, nested where an entry has entries of its own."""
    items = (
        f"<dt>{escape(str(name).replace('_', ' '))}</dt><dd>{definition(value)}</dd>"
        for name, value in entries.items()
    )
    return f'<dl class="entries">{"".join(items)}</dl>'


def definition(value: Any) -> str:
    """One entry: a nested list, an enumeration or text."""
    if isinstance(value, Mapping):
        return definitions(value) if value else "none"
    if isinstance(value, list | tuple):
        if all(is_word(item) for item in value):
            return ", ".join(map(definition, value)) or "none"
        return f"<ul>{''.join(f'<li>{definition(item)}</li>' for item in value)}</ul>"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))


def is_word(value: Any) -> bool:
    """Whether a value goes into an enumeration: a number or a word, no sentence."""
    return not isinstance(value, Mapping | list | tuple) and not str(value).endswith(".")


VIEW = View(
    title="Provenance",
    order=11,
    caption="Everything that went into these numbers, and the command that repeats them.",
    unavailable=lambda results: "",
    html=html,
    several=Comparison(
        caption="What differs between the studies, and the commands that repeat and show each.",
        html=differences_html,
    ),
)
