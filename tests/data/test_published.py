"""Published data sets, where the machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopeft.data import load

FOLDER = Path(
    os.environ.get("AUTOPEFT_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared/data"
)


@pytest.mark.parametrize(
    ("name", "classes", "report", "width"),
    [
        ("trec", 6, 500, 1),
        ("mrpc", 2, 1000, 2),
        ("rte", 2, 277, 2),
        ("sst2", 2, 1000, 1),
        ("banking77", 77, 1000, 1),
        ("boolq", 2, 661, 2),
    ],
)
def test_folder_loads(name, classes, report, width):
    if not (FOLDER / name).is_dir():
        pytest.skip(f"no {name} in {FOLDER}; set AUTOPEFT_SHARED_DATA")
    data = load(str(FOLDER / name))
    assert data.task == "text_classification"
    assert (data.name, len(data.classes), len(data.report)) == (name, classes, report)
    assert len(data.train.texts[0]) == width
    assert set(data.train.labels) == set(data.validation.labels)
