"""`autopeft list`: the pieces there are, and one in detail."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from autopeft.cli import options, output
from autopeft.cli.output import Table

KINDS = {
    "spaces": ("summary", "modules"),
    "objectives": ("label", "direction", "unit", "stage"),
    "modules": ("label", "kind", "size", "paper"),
    "defaults": ("label", "learning_rate", "source"),
    "backbones": ("label", "model_types"),
    "samplers": ("label",),
    "exporters": ("label",),
    "importance": ("label", "paper"),
    "allocators": ("label", "paper"),
    "tasks": ("label", "metrics"),
    "views": ("title", "caption"),
}
"""What can be listed -> the columns beside the name."""


def list_pieces(
    kind: Annotated[
        str, typer.Argument(metavar="[KIND]", show_default=False, help=", ".join(KINDS))
    ] = "",
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", show_default=False, help="One of them, in detail")
    ] = "",
    json: options.Json = False,
) -> None:
    """List the pieces that a search is made of."""
    from autopeft import catalog

    if not kind:
        _kinds(json=json)
        return
    if kind not in KINDS:
        raise catalog.unknown("list", kind, list(KINDS))
    shelf = getattr(catalog, kind)
    names = [name] if name else shelf.names()
    items = [{"name": n, **plain_fields(shelf.load(n))} for n in names]
    if json:
        output.show_json({"schema": "autopeft.list/1", "kind": kind, "items": items})
    elif name:
        output.show(output.facts({key: _text(value) for key, value in items[0].items()}))
    else:
        columns = ["name", *KINDS[kind]]
        rows = [[_text(item.get(column)) for column in columns] for item in items]
        output.show(Table(columns, rows))


def _kinds(*, json: bool) -> None:
    from autopeft import catalog

    items = [{"name": kind, "pieces": getattr(catalog, kind).names()} for kind in KINDS]
    if json:
        output.show_json({"schema": "autopeft.list/1", "kind": "", "items": items})
        return
    output.show(Table(["list", "pieces"], [[i["name"], _text(i["pieces"])] for i in items]))
    output.hint("`autopeft list objectives` says more about them, `... NAME` about one")


def plain_fields(piece: Any) -> dict[str, Any]:
    """What a piece says of itself: its fields that are data, and the names of its metrics."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(piece):
        if field.name in ("name", "line"):
            continue
        value = _plain(getattr(piece, field.name))
        if value is not None:
            found[field.name] = value
    return found


def _plain(value: Any) -> Any:
    """The value as plain data, None for a function."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: kept for key, kept in plain_fields(value).items() if kept not in ("", {})}
    if isinstance(value, Mapping):
        inner = {str(key): _plain(entry) for key, entry in value.items()}
        return list(inner) if _holds_pieces(value) else inner
    if isinstance(value, tuple | list):
        return [{"name": e.name, **_plain(e)} if hasattr(e, "name") else _plain(e) for e in value]
    return None if callable(value) else value


def _holds_pieces(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(dataclasses.is_dataclass(entry) for entry in value.values())


def _text(value: Any) -> str:
    """Plain data on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_text(v)}" if v not in ({}, "") else k for k, v in value.items())
    if isinstance(value, list):
        separator = "; " if any(isinstance(entry, Mapping) for entry in value) else ", "
        return separator.join(_text(entry) for entry in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
