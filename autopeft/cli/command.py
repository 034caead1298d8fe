"""Help pages without the types of arguments, which their names say already."""

from __future__ import annotations

import re

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose arguments are shown as they are written in its usage."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """`[STUDY] TRIAL` instead of `[[STUDY] TRIAL]...`."""
        return [_bare(piece) for piece in super().collect_usage_pieces(ctx)]

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """The page, with blanks for ` <str>` so that the columns stay where they are."""
        page = super().get_help(ctx)
        return re.sub(r" <(str|list\[str\])>", lambda found: " " * len(found[0]), page)


def _bare(piece: str) -> str:
    found = re.fullmatch(r"\[(\[.*)\](\.\.\.)?", piece)
    return found[1] if found else piece
