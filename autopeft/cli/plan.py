"""`autopeft plan`: what fits in a GPU's memory, without training and without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from autopeft.cli import options, output
from autopeft.cli.options import option

if TYPE_CHECKING:
    from autopeft.fitting import Largest, Need, Plan


def plan(
    model: Annotated[
        str,
        typer.Argument(
            metavar="[MODEL]",
            show_default=False,
            help="Hub id or folder [default: the quickstart MiniLM-L6]",
        ),
    ] = "",
    memory: Annotated[
        str, option("--memory", metavar="SIZE", help="Most peak memory [default: 24GB]")
    ] = "24GB",
    space: Annotated[
        str,
        option("-s", "--space", metavar="NAME", help="Search space or .yaml file [default: lora]"),
    ] = "lora",
    budget: Annotated[
        str,
        option("--budget", metavar="PERCENT", help="Most trained parameters [default: 1%]"),
    ] = "1%",
    train_batch: Annotated[
        int, option("--train-batch", metavar="N", help="Rows in a training batch [default: 16]")
    ] = 16,
    train_length: Annotated[
        int, option("--train-length", metavar="N", help="Tokens in a row [default: 128]")
    ] = 128,
    train_precision: Annotated[
        str,
        option(
            "--train-precision",
            metavar="NAME",
            help="Frozen weights: a dtype, 8bit or 4bit [default: bfloat16]",
        ),
    ] = "bfloat16",
    target: Annotated[
        str,
        option("--for", metavar="NAME", help="Device to train on: cuda or cpu [default: cuda]"),
    ] = "cuda",
    offline: options.Offline = False,
    json: options.Json = False,
) -> None:
    """Predict which configurations train within a memory limit.

    Reads the model's config only: no weights, no data, no training, no GPU.
    """
    from autopeft import budget as units
    from autopeft import catalog, checkpoint, fitting
    from autopeft.errors import NothingFits

    limit, percent = units.size(memory), units.percent(budget)
    wanted = _target(train_batch, train_length, train_precision, target)
    spec = catalog.spaces.load(space)
    output.note(f"reading the shape of {checkpoint.name_of(model)}")
    predictor = fitting.predictor(model, wanted, offline=offline)
    output.note("predicting peak memory, nothing is trained")
    found = fitting.plan(predictor, spec, limit=limit, percent=percent)
    if json:
        output.show_json({"schema": "autopeft.plan/1", **_data(found)})
    else:
        _show(found)
    if not found.anything:
        hint = "try `--train-precision 4bit`, or a smaller `--train-batch` or `--train-length`"
        raise NothingFits(f"nothing fits in {memory}", hint=hint)


def _target(rows: int, length: int, precision: str, device: str) -> Any:
    """The training that is planned for.

    Raises:
        UsageError: a value is out of range.
    """
    from autopeft.errors import UsageError
    from autopeft.training.memory_target import Target

    for name, value in (("train-batch", rows), ("train-length", length)):
        if value < 1:
            raise UsageError(f"`--{name} {value}` must be a whole number above 0")
    if device not in ("cpu", "cuda"):
        raise UsageError(f"unknown device `{device}`", hint="use `--for cuda` or `--for cpu`")
    return Target(rows, length, precision, device=device)


def _show(found: Plan) -> None:
    from autopeft.format import bytes_text, count_text

    target, plain = found.target, _fitting(found.sample, found.limit)
    output.show(
        output.facts(
            {
                "model": f"{found.backbone.name}, {count_text(found.backbone.parameters)} "
                "parameters",
                "training": f"{target.rows} x {target.length} tokens, AdamW, base in "
                f"{target.precision}, on {target.device}; predicted, not measured",
                "frozen weights": bytes_text(found.frozen),
                "limit": bytes_text(found.limit),
                f"space {found.space}": f"{plain[0]} of {len(found.sample)} sampled configurations "
                f"fit, {plain[1]} with gradient checkpointing",
            }
        )
    )
    output.text("")
    output.show(_needs(found.defaults, found.limit))
    output.text("")
    output.show(_ranks(found.largest))


def _fitting(needs: tuple[Need, ...], limit: int) -> tuple[int, int]:
    """How many fit, without and with checkpointing."""
    return sum(n.memory <= limit for n in needs), sum(n.checkpointed <= limit for n in needs)


def _needs(needs: tuple[Need, ...], limit: int) -> output.Table:
    from autopeft.format import bytes_text, count_text

    def cell(size: int) -> str:
        return bytes_text(size) + ("" if size <= limit else " (no)")

    rows = [
        [n.label, count_text(n.parameters), cell(n.memory), cell(n.checkpointed)] for n in needs
    ]
    heads = ["default", "parameters", "peak memory", "with checkpointing"]
    return output.Table(heads, rows, frozenset({1, 2, 3}))


def _ranks(largest: tuple[Largest, ...]) -> output.Table:
    def cell(rank: int, most: int) -> str:
        return "any" if rank == most else str(rank or "none")

    rows = [
        [one.group, str(one.sites), cell(one.rank, one.most), cell(one.checkpointed, one.most)]
        for one in largest
    ]
    heads = ["LoRA on", "sites", "largest rank", "with checkpointing"]
    return output.Table(heads, rows, frozenset({1, 2, 3}))


def _data(found: Plan) -> dict[str, Any]:
    from dataclasses import asdict

    fits, checkpointed = _fitting(found.sample, found.limit)
    return {
        "model": found.backbone.name,
        "parameters": found.backbone.parameters,
        "target": {
            "rows": found.target.rows,
            "tokens": found.target.length,
            "precision": found.target.precision,
            "device": found.target.device,
        },
        "how": "predicted",
        "limit": found.limit,
        "frozen": found.frozen,
        "space": found.space,
        "sample": {
            "configurations": len(found.sample),
            "fit": fits,
            "fit_checkpointed": checkpointed,
            "needs": [asdict(need) for need in found.sample],
        },
        "defaults": [asdict(need) for need in found.defaults],
        "largest": [asdict(one) for one in found.largest],
    }
