"""`autopeft inspect`: a backbone as layers and sites, without its weights."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from autopeft.cli import options, output

if TYPE_CHECKING:
    from autopeft.types import Backbone, Site


def inspect(
    model: options.ModelArgument = "",
    offline: options.Offline = False,
    json: options.Json = False,
) -> None:
    """Show the layers and sites of a model.

    Says which modules fit where. Neither loads nor downloads weights.
    """
    from autopeft import catalog, checkpoint
    from autopeft.sites.discovery import discover

    output.note(f"reading the shape of {checkpoint.name_of(model)}")
    shape = checkpoint.skeleton(model, offline=offline)
    backbone = discover(shape, catalog.backbones.all(), name=checkpoint.name_of(model))
    fitting = _fitting()
    if json:
        output.show_json({"schema": "autopeft.inspect/1", **_data(backbone, fitting)})
        return
    output.show(output.facts(_facts(backbone)))
    output.text("")
    output.show(_table(backbone, fitting))


def _fitting() -> dict[str, list[str]]:
    """Kind of site -> names of the modules that go there."""
    from autopeft import catalog

    found: dict[str, list[str]] = {}
    for name, piece in catalog.modules.all().items():
        found.setdefault(piece.kind, []).append(name)
    return found


def _facts(backbone: Backbone) -> dict[str, str]:
    from autopeft.format import count_text

    return {
        "model": f"{backbone.name} ({backbone.family})",
        "layers": str(len(backbone.layers)),
        "width": str(backbone.hidden_size),
        "parameters": count_text(backbone.parameters),
        "sites": str(len(backbone.sites)),
    }


def _groups(backbone: Backbone) -> Counter[tuple[str, str, int, int]]:
    """(role, kind, in, out) -> number of sites, in the order of the sites."""
    return Counter(_key(site) for site in backbone.sites)


def _key(site: Site) -> tuple[str, str, int, int]:
    return site.role, site.kind, site.in_features, site.out_features


def _table(backbone: Backbone, fitting: dict[str, list[str]]) -> output.Table:
    rows = [
        [role, kind, str(wide), str(out), str(count), ", ".join(fitting.get(kind, []))]
        for (role, kind, wide, out), count in _groups(backbone).items()
    ]
    return output.Table(
        ["site", "kind", "in", "out", "count", "modules"], rows, frozenset({2, 3, 4})
    )


def _data(backbone: Backbone, fitting: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "model": backbone.name,
        "family": backbone.family,
        "hidden_size": backbone.hidden_size,
        "parameters": backbone.parameters,
        "layers": list(backbone.layers),
        "sites": [
            {
                "name": site.name,
                "layer": site.layer,
                "role": site.role,
                "kind": site.kind,
                "path": site.path,
                "in": site.in_features,
                "out": site.out_features,
                "modules": fitting.get(site.kind, []),
            }
            for site in backbone.sites
        ],
    }
