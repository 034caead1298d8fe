"""`autopeft importance`: which sites of a backbone matter for a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from autopeft.cli import options, output
from autopeft.cli.output import Table

if TYPE_CHECKING:
    from autopeft.scoring.comparison import Compared
    from autopeft.types import Backbone


def importance(
    model: options.ModelArgument = "",
    dataset: options.Dataset = "",
    text: options.Text = None,
    label: options.Label = "",
    task: options.Task = "auto",
    method: Annotated[
        list[str] | None,
        options.option("--method", metavar="NAME", help="How to score; repeat it [default: spt]"),
    ] = None,
    seeds: Annotated[
        int, options.option("--seeds", metavar="N", help="Scorings per method [default: 3]")
    ] = 3,
    budget: Annotated[
        str,
        options.option("--budget", metavar="SHARE", help="Also say what each method would place"),
    ] = "",
    steps: Annotated[
        int,
        options.option(
            "--steps", metavar="N", help="Steps of methods that train [default: as in a search]"
        ),
    ] = 0,
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

    Each linear gets its share of the total in percent, by every method that is named. Several
    seeds show how stable a method is, several methods how far they agree.
    """
    from autopeft import catalog
    from autopeft.budget import percent
    from autopeft.errors import UsageError
    from autopeft.scoring import comparison
    from autopeft.settings import Settings
    from autopeft.workbench import build

    methods = list(dict.fromkeys(method or ["spt"]))
    for name in methods:
        if name not in catalog.importance.names():
            raise catalog.unknown("importance method", name, catalog.importance.names())
    if seeds < 1:
        raise UsageError(f"`--seeds {seeds}` must be a whole number above 0")
    share = percent(budget) if budget else 0.0
    settings = Settings(
        model=model,
        dataset=dataset,
        text=tuple(text or ()),
        label=label,
        task=task,
        steps=steps,
        seed=seed,
        batch=batch,
        length=length,
        train_rows=train_rows,
        device=device,
        dtype=dtype,
        offline=offline,
    )
    say = _silent if quiet else output.note
    bench = build(settings, note=say)
    found = comparison.compare(bench, methods, seeds=seeds, note=say)
    limit = math.floor(share / 100 * bench.backbone.parameters)
    if json:
        output.show_json(document(found, bench.backbone, limit))
    else:
        show(found, bench.backbone, limit)


def document(found: Sequence[Compared], backbone: Backbone, limit: int) -> dict[str, Any]:
    """Everything that was found, as plain data."""
    from autopeft.scoring import comparison

    data: dict[str, Any] = {
        "schema": "autopeft.importance/2",
        "model": backbone.name,
        "methods": [comparison.to_json(one) for one in found],
        "rank_correlation": {
            a.method: {b.method: comparison.rank_correlation(a.shares, b.shares) for b in found}
            for a in found
        },
    }
    if limit:
        data["budget"] = limit
        for entry, one in zip(data["methods"], found, strict=True):
            made = comparison.proposal(one, backbone, limit)
            entry["allocation"] = {
                "placements": [placement.to_json() for placement in made.placements],
                "parameters": made.parameters,
                "slack": made.slack,
            }
    return data


def show(found: Sequence[Compared], backbone: Backbone, limit: int) -> None:
    """The shares of each method, then the methods side by side."""
    for one in found:
        if len(found) > 1:
            output.text(one.method)
        output.show(share_table(one.shares, backbone))
        output.text("")
    output.show(method_table(found, backbone, limit))


def share_table(site: Mapping[str, float], backbone: Backbone) -> Table:
    """Layer x role, each score as percent of the sum of all, and the sum of each layer."""
    total = sum(site.values()) or 1.0
    roles = list(dict.fromkeys(s.role for s in backbone.sites if s.name in site))
    top = max(site.values(), default=0.0) or 1.0

    def share(value: float | None) -> str:
        return "\N{MIDDLE DOT}" if value is None else f"{100 * value / total:.2f}"

    rows: list[list[str]] = []
    heat: dict[tuple[int, int], float] = {}
    for layer in range(len(backbone.layers)):
        values = [site.get(f"{layer}.{role}") for role in roles]
        rows.append([str(layer), *map(share, values), share(sum(v or 0.0 for v in values))])
        heat |= {(layer, i): v / top for i, v in enumerate(values, start=1) if v is not None}
    return Table(["layer", *roles, "sum %"], rows, frozenset(range(len(roles) + 2)), heat)


def method_table(found: Sequence[Compared], backbone: Backbone, limit: int) -> Table:
    """One row per method: what it took, how stable it is, its correlation with each method."""
    from autopeft.format import bytes_text
    from autopeft.scoring.comparison import proposal, rank_correlation

    columns = ["method", "seconds", "memory", "stability", *(f"~ {one.method}" for one in found)]
    columns += ["placed", "slack"] if limit else []
    rows = []
    for one in found:
        agreed = [_number(rank_correlation(one.shares, other.shares)) for other in found]
        row = [one.method, f"{one.seconds:.1f}", bytes_text(one.memory), _number(one.stability)]
        if limit:
            made = proposal(one, backbone, limit)
            agreed += [f"{made.parameters:,}", f"{made.slack:,}"]
        rows.append(row + agreed)
    return Table(columns, rows, frozenset(range(1, len(columns))))


def _number(value: float) -> str:
    return "\N{EN DASH}" if math.isnan(value) else f"{value:.2f}"


def _silent(line: str) -> None:
    """Say nothing."""
