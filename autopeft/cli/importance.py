"""`autopeft importance`: which sites of a backbone matter for a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from autopeft.cli import options, output
from autopeft.cli.output import Table

if TYPE_CHECKING:
    from autopeft.types import Backbone, Scores


def importance(
    model: options.Model = "",
    dataset: options.Dataset = "",
    text: options.Text = None,
    label: options.Label = "",
    task: options.Task = "auto",
    method: Annotated[
        str, options.option("--method", metavar="NAME", help="How to score [default: spt]")
    ] = "spt",
    seed: options.Seed = 0,
    batch: options.Batch = 16,
    length: options.Length = 0,
    train_rows: options.TrainRows = 0,
    device: options.Device = "",
    dtype: options.Dtype = "",
    offline: options.Offline = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Score the sites of a model for a data set.

    Each linear gets its share of the total in percent.
    """
    from autopeft import catalog
    from autopeft.settings import Settings

    if method not in catalog.importance.names():
        raise catalog.unknown("importance method", method, catalog.importance.names())
    settings = Settings(
        model=model,
        dataset=dataset,
        text=tuple(text or ()),
        label=label,
        task=task,
        seed=seed,
        batch=batch,
        length=length,
        train_rows=train_rows,
        device=device,
        dtype=dtype,
        offline=offline,
    )
    say = _silent if quiet else output.note
    say(f"scoring the sites of {model or 'the quickstart model'} with {method}")
    from autopeft.importance_scores import score

    scores, backbone = score(settings, method, say)
    if json:
        output.show_json(
            {
                "schema": "autopeft.importance/1",
                "model": backbone.name,
                "method": scores.method,
                "site": dict(scores.site),
                "provenance": dict(scores.provenance),
            }
        )
        return
    output.show(share_table(scores, backbone))


def share_table(scores: Scores, backbone: Backbone) -> Table:
    """Layer x role, each score as percent of the sum of all, and the sum of each layer."""
    total = sum(scores.site.values()) or 1.0
    roles = list(dict.fromkeys(s.role for s in backbone.sites if s.name in scores.site))

    def share(value: float | None) -> str:
        return "\N{MIDDLE DOT}" if value is None else f"{100 * value / total:.2f}"

    rows = [
        [
            str(layer),
            *(share(scores.site.get(f"{layer}.{role}")) for role in roles),
            share(scores.layer(layer)),
        ]
        for layer in range(len(backbone.layers))
    ]
    return Table(["layer", *roles, "sum %"], rows, frozenset(range(len(roles) + 2)))


def _silent(line: str) -> None:
    """Say nothing."""
