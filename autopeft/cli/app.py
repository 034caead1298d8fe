"""The typer application: one command per file."""

from __future__ import annotations

from typing import Annotated

import typer

from autopeft.cli.command import Command
from autopeft.cli.confirm import confirm
from autopeft.cli.doctor import doctor
from autopeft.cli.export import export
from autopeft.cli.front import front
from autopeft.cli.help_topics import help_topic
from autopeft.cli.importance import importance
from autopeft.cli.inspect import inspect
from autopeft.cli.listing import list_pieces
from autopeft.cli.plan import plan
from autopeft.cli.report import report
from autopeft.cli.search import search
from autopeft.cli.show import show
from autopeft.cli.status import status

WIDTH = 100

app = typer.Typer(
    name="autopeft",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)
app.command("search", cls=Command)(search)
app.command("status", cls=Command)(status)
app.command("front", cls=Command)(front)
app.command("show", cls=Command)(show)
app.command("confirm", cls=Command)(confirm)
app.command("report", cls=Command)(report)
app.command("export", cls=Command)(export)
app.command("inspect", cls=Command)(inspect)
app.command("plan", cls=Command)(plan)
app.command("importance", cls=Command)(importance)
app.command("list", cls=Command)(list_pieces)
app.command("doctor", cls=Command)(doctor)
app.command("help", cls=Command)(help_topic)


@app.callback()
def autopeft(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks, with any command")
    ] = False,
) -> None:
    """Search parameter-efficient fine-tuning configurations.

    Gives the best trade-offs between accuracy, trained parameters and peak memory. Start with
    `autopeft search --budget 0.5%`; it needs no download and takes minutes on a CPU.
    """
