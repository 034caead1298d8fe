"""Where a study lies when no file is named."""

from __future__ import annotations

from pathlib import Path

from autopeft.checkpoint import name_of
from autopeft.settings import Settings


def default_path(settings: Settings) -> Path:
    """`<model>-<dataset>.journal` in the current folder."""
    dataset = Path(settings.dataset.rstrip("/")).name if settings.dataset else "docstring-origin"
    stem = dataset.rsplit(".", 1)[0] if "." in dataset else dataset
    return Path(f"{name_of(settings.model)}-{stem}.journal")
