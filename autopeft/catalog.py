"""Find pieces by name: a file in a leaf folder, or a foreign entry point. The only file that
names the leaf folders.

A third party adds a piece with an entry point in the group named after the package, such as
`[project.entry-points."autopeft.objectives"]  energy = "their_package:OBJECTIVE"`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import metadata, resources
from pathlib import Path
from typing import Generic, TypeVar

from autopeft.baselines import DEFAULTS, Default
from autopeft.errors import UsageError
from autopeft.space.spec import SpaceSpec, read
from autopeft.types import (
    Allocator,
    Exporter,
    Family,
    ImportanceMethod,
    Objective,
    PeftModule,
    SamplerPiece,
    Task,
    View,
)

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Shelf(Generic[Piece]):
    """The pieces of one kind; loaded only when asked for."""

    package: str
    constant: str
    kind: str
    """What a piece is called in a message."""

    @cached_property
    def _foreign(self) -> dict[str, metadata.EntryPoint]:
        return {point.name: point for point in metadata.entry_points(group=self.package)}

    def names(self) -> list[str]:
        """Names of all pieces, sorted."""
        files = resources.files(self.package).iterdir()
        shipped = {f.name.removesuffix(".py") for f in files if f.name.endswith(".py")}
        return sorted({n for n in shipped if not n.startswith("_")} | set(self._foreign))

    def load(self, name: str) -> Piece:
        """The piece of that name.

        Raises:
            UsageError: there is none; names the nearest.
        """
        if name not in self.names():
            raise unknown(self.kind, name, self.names())
        if name in self._foreign:
            found: Piece = self._foreign[name].load()
            return found
        piece: Piece = getattr(importlib.import_module(f"{self.package}.{name}"), self.constant)
        return piece

    def all(self) -> dict[str, Piece]:
        """Every piece by name."""
        return {name: self.load(name) for name in self.names()}


@dataclass(frozen=True)
class SpaceShelf:
    """The search spaces: shipped YAML files by name, the user's own by path."""

    package: str = "autopeft.search_spaces"

    def _files(self) -> Iterator[Path]:
        for file in resources.files(self.package).iterdir():
            if file.name.endswith(".yaml"):
                yield Path(str(file))

    def names(self) -> list[str]:
        """Names of the shipped spaces, sorted."""
        return sorted(file.stem for file in self._files())

    def load(self, name: str) -> SpaceSpec:
        """The space of that name or path, as written.

        Raises:
            UsageError: there is none, or the file is wrong.
        """
        if name.endswith((".yaml", ".yml")) or "/" in name:
            return read(Path(name))
        for file in self._files():
            if file.stem == name:
                return read(file)
        raise unknown("search space", name, self.names())


@dataclass(frozen=True)
class DefaultShelf:
    """The family defaults that every study tries first."""

    def names(self) -> list[str]:
        """Their names, in the order they are tried."""
        return [default.name for default in DEFAULTS]

    def load(self, name: str) -> Default:
        """The default of that name.

        Raises:
            UsageError: there is none.
        """
        for default in DEFAULTS:
            if default.name == name:
                return default
        raise unknown("default", name, self.names())


def unknown(kind: str, name: str, known: list[str]) -> UsageError:
    """The error for a name that is not there, with the nearest one that is."""
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"there is {', '.join(known)}"
    return UsageError(f"unknown {kind} `{name}`", hint=hint)


modules: Shelf[PeftModule] = Shelf("autopeft.modules", "MODULE", "module")
backbones: Shelf[Family] = Shelf("autopeft.backbones", "FAMILY", "backbone family")
samplers: Shelf[SamplerPiece] = Shelf("autopeft.samplers", "SAMPLER", "sampler")
exporters: Shelf[Exporter] = Shelf("autopeft.exporters", "EXPORTER", "export target")
importance: Shelf[ImportanceMethod] = Shelf("autopeft.importance", "METHOD", "importance method")
allocators: Shelf[Allocator] = Shelf("autopeft.allocators", "ALLOCATOR", "allocator")
tasks: Shelf[Task] = Shelf("autopeft.tasks", "TASK", "task")
objectives: Shelf[Objective] = Shelf("autopeft.objectives", "OBJECTIVE", "objective")
views: Shelf[View] = Shelf("autopeft.reports", "VIEW", "view")
spaces = SpaceShelf()
defaults = DefaultShelf()
