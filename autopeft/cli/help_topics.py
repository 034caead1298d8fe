"""`autopeft help`: topics that belong to no single command."""

from __future__ import annotations

from typing import Annotated

import typer

from autopeft.cli import output
from autopeft.cli.topics import TOPICS


def help_topic(
    context: typer.Context,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="[TOPIC]", show_default=False, help=f"{', '.join(TOPICS)}, or a command"
        ),
    ] = "",
) -> None:
    """Explain exit codes, environment, JSON, spaces or storage."""
    if topic in TOPICS:
        output.text(TOPICS[topic].rstrip())
        return
    root = context.find_root()
    group: object = root.command
    commands = getattr(group, "commands", {})
    if not topic:
        output.text(root.get_help().rstrip())
        return
    if topic not in commands:
        from autopeft.catalog import unknown

        raise unknown("topic", topic, [*TOPICS, *commands])
    command = commands[topic]
    with type(context)(command, info_name=topic, parent=root) as inner:
        output.text(command.get_help(inner).rstrip())
