"""`autopeft doctor`: what is installed, which devices there are, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from autopeft.cli import options, output

PACKAGES = ("torch", "transformers", "peft", "optuna", "botorch", "plotly", "datasets", "typer")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    found: str
    ok: bool
    needed: bool
    advice: str = ""


def doctor(json: options.Json = False) -> None:
    """Check versions, devices and write access."""
    from autopeft.errors import MissingError

    found = list(checks())
    broken = [check for check in found if check.needed and not check.ok]
    if json:
        items = [asdict(check) for check in found]
        output.show_json({"schema": "autopeft.doctor/1", "ok": not broken, "checks": items})
    else:
        rows = [[check.name, _standing(check), check.found] for check in found]
        output.show(output.Table((), rows))
    if broken:
        names = ", ".join(check.name for check in broken)
        advice = next((check.advice for check in broken if check.advice), "")
        raise MissingError(f"missing here: {names}", hint=advice)


def _standing(check: Check) -> str:
    if check.ok:
        return "ok"
    return "missing" if check.needed else "optional"


def checks() -> Iterator[Check]:
    """Every check, the needed ones first."""
    import platform
    import tempfile

    from autopeft import __version__

    yield Check("autopeft", __version__, ok=True, needed=True)
    yield Check("python", platform.python_version(), ok=True, needed=True)
    for name in PACKAGES:
        yield _package(name)
    yield _folder("this folder", Path())
    yield _folder("temporary folder", Path(tempfile.gettempdir()))
    yield Check("cores", str(_cores()), ok=True, needed=True)
    yield _memory()
    yield _gpu()
    yield _quickstart()


def _package(name: str) -> Check:
    from importlib import metadata

    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "not installed", ok=False, needed=True, advice=f"pip install {name}")
    return Check(name, version, ok=True, needed=True)


def _folder(name: str, folder: Path) -> Check:
    """Whether a file can really be written there."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"autopeft")
    except OSError as error:
        reason = f"{folder.resolve()}: {error.strerror}"
        advice = "change to a folder that you can write to"
        return Check(name, reason, ok=False, needed=True, advice=advice)
    return Check(name, f"{folder.resolve()}, writable", ok=True, needed=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> Check:
    from autopeft.format import bytes_text

    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Check("memory", bytes_text(size), ok=True, needed=True)


def _gpu() -> Check:
    from autopeft.format import bytes_text

    try:
        import torch
    except (ImportError, OSError) as error:
        reason = f"torch cannot be imported: {error}"
        return Check("gpu", reason, ok=False, needed=True, advice="pip install torch")
    if not torch.cuda.is_available():
        return Check("gpu", "none; a search runs on the CPU", ok=False, needed=False)
    names = [
        f"cuda:{i} {torch.cuda.get_device_name(i)}, "
        f"{bytes_text(torch.cuda.get_device_properties(i).total_memory)}"
        for i in range(torch.cuda.device_count())
    ]
    return Check("gpu", "; ".join(names), ok=True, needed=False)


def _quickstart() -> Check:
    from autopeft.checkpoint import quickstart_folder
    from autopeft.errors import MissingError

    try:
        folder = quickstart_folder()
    except MissingError as error:
        return Check("quickstart", error.message, ok=False, needed=False, advice=error.hint)
    return Check(
        "quickstart", f"MiniLM-L6, sha256 as published, in {folder}", ok=True, needed=False
    )
