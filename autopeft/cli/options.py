"""Options that several commands share, and the settings they make."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def option(*names: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    """An option whose help text says its default."""
    return typer.Option(*names, help=help, metavar=metavar, show_default=False, **more)


Study = Annotated[
    str,
    typer.Argument(
        metavar="[STUDY]",
        show_default=False,
        help="A study's .journal file [default: $AUTOPEFT_STUDY, else the only one here]",
    ),
]
StudyAndTrial = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STUDY] TRIAL",
        show_default=False,
        help="A study's .journal file, and best, knee, smallest or a number",
    ),
]
Json = Annotated[bool, option("--json", help="Print one JSON document instead")]

Model = Annotated[
    str,
    option("--model", metavar="NAME", help="Hub id or folder [default: the quickstart MiniLM-L6]"),
]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="[MODEL]",
        show_default=False,
        help="Hub id or folder [default: the quickstart MiniLM-L6]",
    ),
]
Dataset = Annotated[
    str,
    option(
        "--dataset",
        metavar="NAME",
        help="File, folder or hub id [default: docstring-origin, made from installed packages]",
    ),
]
Text = Annotated[
    list[str] | None,
    option("--text", metavar="COLUMN", help="Text column; twice for pairs [default: guessed]"),
]
Label = Annotated[
    str, option("--label", metavar="COLUMN", help="Column to predict [default: guessed]")
]
Task = Annotated[
    str,
    option(
        "--task",
        metavar="NAME",
        help="text_classification or text_regression [default: auto, from the labels]",
    ),
]
Seed = Annotated[
    int, option("--seed", metavar="N", help="Seed of data splits, weights and order [default: 0]")
]
Batch = Annotated[
    int, option("--batch", metavar="N", help="Rows in a training batch [default: 16]")
]
Length = Annotated[
    int,
    option("--length", metavar="N", help="Longest text in tokens [default: 128; quickstart: 32]"),
]
TrainRows = Annotated[
    int, option("--train-rows", metavar="N", help="Most rows to train on; 0 for all [default: 0]")
]
Device = Annotated[
    str,
    option(
        "--device",
        metavar="NAME",
        envvar="AUTOPEFT_DEVICE",
        show_envvar=False,
        help="cpu, cuda or cuda:N [default: $AUTOPEFT_DEVICE, else cuda if there is one]",
    ),
]
Dtype = Annotated[
    str,
    option(
        "--dtype",
        metavar="NAME",
        help="Type of the frozen weights [default: float32 on a CPU, bfloat16 on a GPU]",
    ),
]
TrainPrecision = Annotated[
    str,
    option(
        "--train-precision",
        metavar="NAME",
        help="Frozen weights that memory is stated for: a dtype, 8bit or 4bit [default: --dtype]",
    ),
]
Checkpointing = Annotated[
    bool,
    option("--gradient-checkpointing", help="State memory for training that recomputes layers"),
]
Offline = Annotated[bool, option("--offline", help="Use no network: only what is here already")]
Quiet = Annotated[bool, option("-q", "--quiet", help="No progress on stderr")]
