"""The command line: `main` runs one command and gives its exit code."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Sequence

from autopeft import __version__
from autopeft.cli import failures, output
from autopeft.cli.app import app

DEBUG = "--debug"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives 0, 1, 2, 3, 4 or 130, see `autopeft help exit-codes`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in given
    words = [word for word in given if word != DEBUG]
    if words[:1] == ["--version"]:
        output.text(f"autopeft {__version__}")
        return 0
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if not debug:
        warnings.simplefilter("ignore")
    return _run(words or ["--help"], debug=debug)


def _run(words: list[str], *, debug: bool) -> int:
    command = shlex.join(["autopeft", *words])
    try:
        code = app(words, standalone_mode=False, prog_name="autopeft", obj=command)
        output.flush()
    except output.PipeClosed:
        output.discard()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return failures.explain(error, debug=debug)
    return code if isinstance(code, int) else 0
