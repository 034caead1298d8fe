"""Stable hashes of plain data, configurations and files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from autopeft.types import Configuration


def of_json(data: Any) -> str:
    """Twelve hexadecimal digits of the canonical JSON form."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def of_configuration(configuration: Configuration) -> str:
    """Digest of what is trained; equal for configurations that train the same thing."""
    return of_json(configuration.to_json())


def of_file(path: Path) -> str:
    """The full sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def seed_of(*parts: Any) -> int:
    """A 63-bit seed that depends on every part, and on nothing else."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
