"""The embedded data set: from which package is the first paragraph of a docstring?

It needs no download: the docstrings are read from the source files of installed packages, which
are parsed and never imported. Names that give the package away are masked.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import random
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autopeft.data.cutting import Splits
from autopeft.data.labels import CLASSIFICATION, Labels
from autopeft.data.loading import task_data
from autopeft.digest import seed_of
from autopeft.errors import MissingError
from autopeft.types import Examples, TaskData

NAME = "docstring-origin"
PACKAGES = (
    *("torch", "transformers", "pandas", "scipy", "numpy", "sympy", "networkx", "sklearn"),
    *("optuna", "botorch", "gpytorch", "plotly", "datasets", "peft"),
)
"""Packages that may be classes, the preferred first."""
ALIASES = ("np", "pd", "nx", "plt", "px", "nn", "scikit-learn", "scikit", "huggingface")
"""What else the packages are called."""
MOST_CLASSES = 8
FEWEST_CLASSES = 3
FEWEST_WORDS = 6
MOST_WORDS = 60
PER_FILE = 12
"""Docstrings that one file gives at most, so that a class is not one file."""
LARGEST_FILE = 40_000
"""Bytes from which a file is left out, as parsing it takes long for the few rows that it gives."""
FEWEST_QUOTES = 10
"""Triple quotes below which a file is not worth parsing."""
MASK = "it"

SECTION = re.compile(
    r"^\s*(args|arguments|parameters|params|returns?|raises|yields|examples?|notes?|attributes"
    r"|references|see also)\s*:?\s*$"
    r"|^\s*[*`]*\w+[*`]* \(.*\)\s*:"
    r"|^\s*(:param|:return|:type|>>>|@|\.\. )"
    r"|^\s*[-=~^`*]{3,}\s*$",
    re.IGNORECASE,
)
"""A line at which prose ends."""
ROLE = re.compile(r":\w+(:\w+)?:(?=`)")
"""A Sphinx role, such as `:class:`."""

_Scope = ast.Module | ast.ClassDef
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def load_docstrings(
    seed: int = 0,
    rows_per_class_train: int = 100,
    *,
    validation_rows: int = 480,
    report_rows: int = 640,
    packages: Sequence[str] = PACKAGES,
) -> TaskData:
    """The task, balanced; validation and report rows are for eight classes together.

    The classes are the first eight installed packages with enough docstrings; with fewer, each
    class keeps its share of rows. MissingError when fewer than three packages have enough.
    """
    classes = min(MOST_CLASSES, len(packages))
    held_out = [max(1, rows // classes) for rows in (validation_rows, report_rows)]
    sizes = (rows_per_class_train, *held_out)
    texts = _collect(packages, rows=sum(sizes), seed=seed)
    if len(texts) < FEWEST_CLASSES:
        raise MissingError(
            f"Only {len(texts)} installed packages have {sum(sizes)} docstrings each.",
            hint="Give a data set with `--dataset`, or ask for fewer rows.",
        )
    names = tuple(sorted(texts))
    splits = Splits(*(_examples(texts, names, part) for part in _parts(sizes)))
    note = f"First paragraphs of docstrings in {', '.join(names)}, as installed here."
    return task_data(NAME, Labels(CLASSIFICATION, names), splits, notes=(note,))


def _parts(sizes: Sequence[int]) -> Iterator[slice]:
    """Consecutive slices of these sizes."""
    start = 0
    for size in sizes:
        yield slice(start, start + size)
        start += size


def _examples(texts: Mapping[str, Sequence[str]], names: Sequence[str], part: slice) -> Examples:
    """That part of each class, the classes one after the other."""
    rows = [(text, float(i)) for i, name in enumerate(names) for text in texts[name][part]]
    return Examples(tuple((text,) for text, _ in rows), tuple(label for _, label in rows))


def _collect(packages: Sequence[str], *, rows: int, seed: int) -> dict[str, list[str]]:
    """Package -> its masked texts, `rows` each, for the packages that have as many."""
    roots = {name: root for name in packages if (root := _root(name)) is not None}
    mask = _mask(packages)
    known: set[str] = set()
    found: dict[str, list[str]] = {}
    for name, root in roots.items():
        texts = _package_texts(root, mask, known, rows=rows, seed=seed)
        if len(texts) == rows:
            found[name] = texts
        if len(found) == MOST_CLASSES:
            break
    return found


def _root(package: str) -> Path | None:
    """Folder of an installed package, found without importing it."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) if folders else None


def _mask(packages: Sequence[str]) -> re.Pattern[str]:
    """Words that contain a package's name, its aliases, and every dotted path of names."""
    names = "|".join(re.escape(name) for name in packages)
    aliases = "|".join(re.escape(name) for name in ALIASES)
    dotted = r"[a-z_]\w*(?:\.[a-z_]\w+)+"
    return re.compile(rf"\b(?:{dotted}|\w*(?:{names})\w*|(?:{aliases})\b)(?:\.\w+)*", re.IGNORECASE)


def _package_texts(
    root: Path, mask: re.Pattern[str], known: set[str], *, rows: int, seed: int
) -> list[str]:
    """Up to `rows` texts in random order, none of which is in `known`; adds them there.

    Files come in a seeded random order, so that reading may stop early.
    """
    files = _files(root)
    draw = random.Random(seed_of(seed, root.name))
    draw.shuffle(files)
    texts: list[str] = []
    for path in files:
        if len(texts) >= rows:
            break
        found = sorted(set(_paragraphs(path)))
        sample = draw.sample(found, min(PER_FILE, len(found)))
        masked = {text.lower(): text for text in (mask.sub(MASK, text) for text in sample)}
        texts += [text for key, text in masked.items() if key not in known]
        known.update(masked)
    draw.shuffle(texts)
    return texts[:rows]


def _files(root: Path) -> list[Path]:
    """The source files of a package without its tests, sorted."""
    found: list[str] = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name not in ("tests", "__pycache__")]
        found += [os.path.join(folder, name) for name in names if name.endswith(".py")]
    return [Path(name) for name in sorted(found)]


def _paragraphs(path: Path) -> list[str]:
    """First paragraphs of the docstrings of a file; none when it cannot be parsed."""
    try:
        source = path.read_bytes()
        if len(source) > LARGEST_FILE or source.count(b'"""') < FEWEST_QUOTES:
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    docstrings = (ast.get_docstring(node) for node in _definitions(tree))
    paragraphs = (first_paragraph(docstring) for docstring in docstrings if docstring)
    return [t for t in paragraphs if len(t.split()) >= FEWEST_WORDS and t.isprintable()]


def _definitions(node: _Scope) -> Iterator[_Scope | _Function]:
    """The module or class and what it defines, function bodies left out."""
    yield node
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from _definitions(child)
        elif isinstance(child, _Function):
            yield child


def first_paragraph(docstring: str) -> str:
    """The prose before the first blank line or section, on one line."""
    lines: list[str] = []
    for line in docstring.strip().splitlines():
        if not line.strip() or SECTION.match(line):
            break
        lines.append(line)
    words = ROLE.sub("", " ".join(lines)).split()
    return " ".join(words[:MOST_WORDS])
