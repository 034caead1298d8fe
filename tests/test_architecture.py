"""Imports go strictly down, leaves are never named, the package list is complete."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAPPED = {"search_spaces", "objectives", "reports"}
LEAVES = {
    *("modules", "backbones", "samplers", "exporters", "importance", "allocators", "tasks"),
    *MAPPED,
}
LEVELS = (
    {"errors", "plotly_carrier", "types", "weights"},
    {"budget", "describe", "digest", "format", "pareto", "progress", "settings"}
    | {"paired_difference", "picture", "rank_budget", "rank_correlation", "report", "sites"},
    {"baselines", "checkpoint", "data", "space", "training"},
    {"callbacks", "catalog", "optimiser", "run_scores"},
    {"adapters", "allocation", "device_choice", "fitting", "testing"},
    {"evaluate"},
    {"workbench"},
    {"scoring"},
    {"study"},
    {"confirmation", "export", "rungs"},
    {"search"},
    LEAVES,
    {"cli"},
)
"""Rooms of the package, lowest first; an import goes to a strictly lower line."""


def sources() -> Iterator[tuple[str, Path]]:
    """(room, file) of every source file."""
    for file in sorted((ROOT / "autopeft").rglob("*.py")):
        parts = file.relative_to(ROOT / "autopeft").parts
        yield (parts[0].removesuffix(".py"), file)
    for folder in sorted(MAPPED):
        for file in sorted((ROOT / folder).glob("*.py")):
            yield folder, file


def imports(file: Path) -> Iterator[str]:
    """Rooms that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            if parts[0] == "autopeft" and len(parts) > 1:
                yield parts[1]


def level(room: str) -> int:
    return next((i for i, rooms in enumerate(LEVELS) if room in rooms), -1)


def rooms() -> set[str]:
    return {room for room, _ in sources() if room != "__init__"}


def test_every_room_has_a_level() -> None:
    assert {room for room in rooms() if level(room) < 0} == set()
    assert {room for rooms_ in LEVELS for room in rooms_} <= rooms() | MAPPED


def test_imports_go_strictly_down() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for room, file in sources()
        if room != "__init__"
        for name in imports(file)
        if level(name) >= 0 and name != room and level(name) >= level(room)
    ]
    assert wrong == []


def test_nobody_names_a_leaf_but_the_catalog() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} names {name}"
        for room, file in sources()
        for name in imports(file)
        if name in LEAVES and name != room
    ]
    assert wrong == []


def test_the_package_list_names_every_folder() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "autopeft").rglob("__init__.py")
    }
    assert listed == found | {f"autopeft.{name}" for name in MAPPED}


def test_files_are_small() -> None:
    """A file is one idea; `types` is the dictionary of them all."""
    long = [
        f"{file.relative_to(ROOT)}: {count}"
        for room, file in sources()
        if (count := len(file.read_text().splitlines())) > 255 and room != "types"
    ]
    assert long == []


@pytest.mark.parametrize("module", ["autopeft", "autopeft.cli"])
def test_importing_the_command_line_is_light(module: str) -> None:
    heavy = {"torch", "optuna", "plotly", "transformers", "pandas", "numpy", "peft", "botorch"}
    code = f"import sys, {module}; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
