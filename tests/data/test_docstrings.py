"""The embedded data set, on small packages made here and once on the installed ones."""

from __future__ import annotations

import itertools
import sys
from collections import Counter

import pytest

from autopeft.data.docstrings import first_paragraph, load_docstrings
from autopeft.errors import MissingError

NAMES = ("alphapack", "betapack", "gammapack")
SIZES = {"rows_per_class_train": 10, "validation_rows": 9, "report_rows": 12}


def module(name, start, functions=12):
    parts = [
        f'def function_{i}():\n    """Give item {i} of {name} for words alone.\n\n    Hidden."""\n'
        for i in range(start, start + functions)
    ]
    return "\n".join(parts)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Three importable packages that must never be imported."""
    for number, name in enumerate(NAMES):
        folder = tmp_path / name
        (folder / "tests").mkdir(parents=True)
        (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
        for i in range(5):
            (folder / f"m{i}.py").write_text(module(name, 1000 * number + 12 * i))
        (folder / "tests" / "test_it.py").write_text(module("forbidden", 9000))
        (folder / "broken.py").write_text('"""' * 20 + "def (:\n")
        (folder / "bytes.py").write_bytes(b'"""' * 20 + b"\xff\x00\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def every(data):
    splits = (data.train, data.validation, data.report)
    return [texts[0] for split in splits for texts in split.texts]


def test_balanced_disjoint_splits_without_an_import(packages):
    data = load_docstrings(**SIZES, packages=NAMES)
    assert (data.name, data.task, data.classes) == (
        "docstring-origin",
        "text_classification",
        NAMES,
    )
    assert Counter(data.train.labels) == {0.0: 10, 1.0: 10, 2.0: 10}
    assert Counter(data.validation.labels) == {0.0: 3, 1.0: 3, 2.0: 3}
    assert Counter(data.report.labels) == {0.0: 4, 1.0: 4, 2.0: 4}
    assert len(set(every(data))) == len(every(data))
    assert not any("Hidden" in text or "forbidden" in text for text in every(data))
    assert not set(NAMES) & set(sys.modules)


def test_names_are_masked(packages):
    aliases = itertools.cycle(["np.linalg", "pd", "F.relu", "nn.Linear", "MyAlphaPackThing"])
    lines = [
        f'def f{i}():\n    """Use {next(aliases)} with alphapack.m{i} in case {i} here."""\n'
        for i in range(60)
    ]
    for i in range(5):
        (packages / "alphapack" / f"m{i}.py").write_text("\n".join(lines[12 * i : 12 * i + 12]))
    texts = every(load_docstrings(**SIZES, packages=NAMES))
    masked = [text for text in texts if text.startswith("Use")]
    assert len(masked) == 17
    assert all(text.startswith("Use it with it in case") for text in masked)
    assert not any(name in text.lower() for text in texts for name in NAMES)


def test_texts_that_differ_by_case_or_package_only_occur_once(packages):
    for number, name in enumerate(NAMES):
        text = module("shared", 5000)
        (packages / name / "same.py").write_text(text.upper() if number == 1 else text)
    texts = [text.lower() for text in every(load_docstrings(**SIZES, packages=NAMES))]
    assert len(set(texts)) == len(texts)


def test_same_seed_same_rows(packages):
    first, again, other = (load_docstrings(s, **SIZES, packages=NAMES) for s in (0, 0, 1))
    assert first == again
    assert first.digest != other.digest


def test_package_with_too_few_docstrings_is_left_out(packages):
    small = packages / "smallpack"
    small.mkdir()
    (small / "__init__.py").write_text(module("small", 0, functions=11))
    names = ("smallpack", *NAMES, "not_installed_anywhere", "json.decoder", "sys")
    assert load_docstrings(**SIZES, packages=names).classes == NAMES


def test_fewer_than_three_packages(packages):
    with pytest.raises(MissingError, match="Only 2 installed packages"):
        load_docstrings(**SIZES, packages=NAMES[:2])


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("One line.", "One line."),
        ("Two\n    lines  here.\n\nMore.", "Two lines here."),
        ("Prose.\nParameters\n----------\nx", "Prose."),
        ("Prose.\nArgs:\n    x: y", "Prose."),
        ("Prose.\n:param x: y", "Prose."),
        ("Prose.\n>>> f()", "Prose."),
        ("x (`int`, *optional*): A number.", ""),
        ("=====\nTitle", ""),
        ("See :class:`Graph` and :py:func:`walk`.", "See `Graph` and `walk`."),
        ("", ""),
        ("word " * 100, " ".join(["word"] * 60)),
    ],
)
def test_first_paragraph(docstring, expected):
    assert first_paragraph(docstring) == expected


def test_installed_packages_give_eight_classes():
    data = load_docstrings(rows_per_class_train=20, validation_rows=40, report_rows=40)
    assert len(data.classes) == 8
    assert (len(data.train), len(data.validation), len(data.report)) == (160, 40, 40)
    assert not any(name in text.lower() for text in every(data) for name in ("torch", "scipy"))
    assert all(len(text.split()) >= 6 for text in every(data))
