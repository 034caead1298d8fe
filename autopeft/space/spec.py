"""Search spaces as YAML: read, checked key by key, errors with the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml

from autopeft import digest
from autopeft.errors import SpaceError
from autopeft.types import Value

Scope = Literal["model", "block", "layer", "group", "site"]
SCOPES: tuple[Scope, ...] = ("model", "block", "layer", "group", "site")
DOMAINS = ("choice", "int", "float", "fraction")
TOP_KEYS = (
    "name",
    "summary",
    "modules",
    "groups",
    "blocks",
    "importance",
    "dimensions",
)
DIMENSION_KEYS = (*DOMAINS, "log", "per", "when")


@dataclass(frozen=True)
class DimensionSpec:
    """One dimension as written: its domain, how often it repeats, and when it is active."""

    name: str
    domain: Literal["choice", "int", "float", "fraction"]
    values: tuple[Value, ...]
    """The choices, `(low, high)` for int and float, or shares of the hidden width."""
    log: bool
    per: tuple[Scope, ...]
    when: Mapping[str, Value]
    line: int


@dataclass(frozen=True)
class SpaceSpec:
    """A search space as written, not yet expanded for a backbone."""

    name: str
    summary: str
    modules: Mapping[str, Mapping[str, Value]]
    """Module type -> fixed settings."""
    groups: Mapping[str, tuple[str, ...]]
    """Group -> roles of linear sites; empty means every linear site, one group per role."""
    blocks: int
    importance: tuple[str, ...]
    """Importance methods whose scores place the modules, or empty."""
    dimensions: tuple[DimensionSpec, ...]
    source: str
    digest: str


def read(path: Path) -> SpaceSpec:
    """The search space in a YAML file.

    Raises:
        SpaceError: the file cannot be read, or a key or value is wrong; with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"cannot read search space `{path}`: {error}") from error
    return parse(text, source=str(path))


def parse(text: str, *, source: str) -> SpaceSpec:
    """The search space in a YAML text; `source` is named in errors."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        raise SpaceError(f"{where}: not valid YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(data, dict) or node is None:
        raise SpaceError(f"{source}: a search space is a mapping with `modules` and `dimensions`")
    return _Reader(source, _lines(node)).space(data)


def _lines(node: yaml.Node, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Line of every key, by its path from the top."""
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            found[here] = key.start_mark.line + 1
            found.update(_lines(value, here))
    return found


@dataclass(frozen=True)
class _Reader:
    source: str
    lines: Mapping[tuple[str, ...], int]

    def fail(self, path: Sequence[str], message: str, hint: str = "") -> SpaceError:
        line = self.lines.get(tuple(path))
        where = f"{self.source}:{line}" if line else self.source
        return SpaceError(f"{where}: {message}", hint=hint)

    def keys(self, data: Any, allowed: Sequence[str], path: Sequence[str]) -> Mapping[str, Any]:
        if not isinstance(data, dict):
            raise self.fail(path, f"`{'.'.join(path)}` must be a mapping")
        for key in data:
            if key not in allowed:
                close = get_close_matches(str(key), allowed, n=1)
                hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(allowed)}"
                raise self.fail([*path, str(key)], f"unknown key `{key}`", hint)
        return data

    def space(self, data: Mapping[str, Any]) -> SpaceSpec:
        self.keys(dict(data), TOP_KEYS, [])
        for key in ("name", "modules", "dimensions"):
            if not data.get(key):
                raise self.fail([key], f"`{key}` is missing or empty")
        dimensions = tuple(self.dimension(name, spec) for name, spec in data["dimensions"].items())
        blocks = data.get("blocks", 4)
        if not isinstance(blocks, int) or blocks < 1:
            raise self.fail(["blocks"], "`blocks` must be a whole number, 1 or more")
        return SpaceSpec(
            name=str(data["name"]),
            summary=str(data.get("summary", "")),
            modules=self.modules(data["modules"]),
            groups=self.groups(data.get("groups") or {}),
            blocks=blocks,
            importance=self.importance(data.get("importance") or []),
            dimensions=dimensions,
            source=self.source,
            digest=digest.of_json(data),
        )

    def modules(self, data: Any) -> dict[str, Mapping[str, Value]]:
        if isinstance(data, list):
            return {str(name): {} for name in data}
        if not isinstance(data, dict):
            raise self.fail(["modules"], "`modules` must be a list of names or a mapping")
        return {str(name): dict(settings or {}) for name, settings in data.items()}

    def importance(self, data: Any) -> tuple[str, ...]:
        names = data if isinstance(data, list) else [data]
        if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
            message = "`importance` must be a method's name, or a list of different names"
            raise self.fail(["importance"], message)
        return tuple(names)

    def groups(self, data: Any) -> dict[str, tuple[str, ...]]:
        if not isinstance(data, dict) or not all(isinstance(v, list) and v for v in data.values()):
            raise self.fail(["groups"], "`groups` must map a name to a list of site roles")
        return {str(name): tuple(str(role) for role in roles) for name, roles in data.items()}

    def dimension(self, name: str, data: Any) -> DimensionSpec:
        path = ["dimensions", str(name)]
        data = self.keys(data, DIMENSION_KEYS, path)
        given = [key for key in DOMAINS if key in data]
        if len(given) != 1:
            raise self.fail(path, f"`{name}` needs exactly one of {', '.join(DOMAINS)}")
        domain = given[0]
        values = data[domain]
        if not isinstance(values, list) or not values:
            raise self.fail([*path, domain], f"`{name}.{domain}` must be a list that is not empty")
        self.check(path, domain, values)
        return DimensionSpec(
            name=str(name),
            domain=domain,  # type: ignore[arg-type]
            values=tuple(values),
            log=bool(data.get("log", False)),
            per=self.scope(path, data.get("per", "model")),
            when=dict(data.get("when") or {}),
            line=self.lines.get(tuple(path), 0),
        )

    def scope(self, path: list[str], given: Any) -> tuple[Scope, ...]:
        names = given if isinstance(given, list) else [given]
        for name in names:
            if name not in SCOPES:
                raise self.fail(
                    [*path, "per"], f"unknown `per: {name}`", f"known: {', '.join(SCOPES)}"
                )
        return tuple(scope for scope in SCOPES if scope in names)

    def check(self, path: list[str], domain: str, values: list[Any]) -> None:
        where = [*path, domain]
        if domain == "choice":
            if len(set(map(repr, values))) != len(values):
                raise self.fail(where, "the choices repeat")
            return
        if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
            raise self.fail(where, f"`{domain}` takes numbers; write 1.0e-3, not 1e-3")
        if domain == "fraction" and not all(0 <= v <= 1 for v in values):
            raise self.fail(where, "`fraction` takes shares of the hidden width between 0 and 1")
        if domain in ("int", "float") and (len(values) != 2 or values[0] >= values[1]):
            raise self.fail(where, f"`{domain}` takes [low, high] with low < high")
