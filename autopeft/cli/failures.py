"""Failures in words: one sentence, a hint and an exit code; a traceback only when asked for."""

from __future__ import annotations

import errno
import os
import re
import traceback
from difflib import get_close_matches

import typer

from autopeft import __version__
from autopeft.cli import output
from autopeft.errors import AutoPeftError, Interrupted

STORAGE = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.ENOTDIR}
"""Failures of a folder or a disk, not of the program."""
UNEXPECTED = 1
STOPPED = 130


def explain(error: BaseException, *, debug: bool) -> int:
    """Print a failure and give its exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, AutoPeftError):
        word = "stopped:" if isinstance(error, Interrupted) else "error:"
        output.failure(error.message, error.hint, word=word)
        return error.exit_code
    if isinstance(error, typer.TyperException):
        return _wrong_usage(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        output.failure("stopped by Ctrl-C", word="stopped:")
        return STOPPED
    if isinstance(error, OSError) and error.errno in STORAGE:
        output.failure(_storage(error), "name a place that you can write to, with free space")
        return UNEXPECTED
    if not debug:
        _unexpected(error)
    return UNEXPECTED


def _wrong_usage(error: typer.TyperException) -> int:
    """A failure that typer found on the command line."""
    message = error.format_message().replace("'", "`")
    message = re.sub(r" ?\(Possible options: .*\)| ?Did you mean.*", "", message)
    output.failure(message[:1].lower() + message[1:], _nearest(error))
    return error.exit_code


def _nearest(error: typer.TyperException) -> str:
    """The option or command that may have been meant, or where to look."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "autopeft"
    close = list(getattr(error, "possibilities", None) or ())
    found = re.search(r"No such command '(.*?)'", error.format_message())
    if found and context is not None:
        close = get_close_matches(found[1], context.command.list_commands(context), n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"`{path} --help` shows how it is used"


def _storage(error: OSError) -> str:
    place = f" `{error.filename}`" if error.filename else ""
    return f"cannot write{place}: {os.strerror(error.errno or 0)}"


def _unexpected(error: BaseException) -> None:
    """Keep the traceback in a file and say where it is."""
    import tempfile

    report = "".join(traceback.format_exception(error))
    message = (
        f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    )
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="autopeft-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(f"{versions()}\n\n{report}")
    except OSError:
        output.failure(message, "run it again with `--debug` to see the traceback")
        return
    output.failure(message, f"please report it with `{file.name}` ({versions()})")


def versions() -> str:
    """What a report of a failure needs: versions and the system."""
    import platform
    from importlib import metadata

    parts = [f"autopeft {__version__}", f"python {platform.python_version()}"]
    for name in ("torch", "transformers", "optuna"):
        try:
            parts.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            parts.append(f"no {name}")
    return ", ".join([*parts, platform.system()])
