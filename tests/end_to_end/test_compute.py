"""Accuracy against compute: a search over frozen, tuned and skipped layers, and what DAS ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopeft import cli
from autopeft.search import search
from autopeft.types import Results
from tests import tiny_bundle
from tests.listener import Listener

OPTIONS = {
    "trials": 14,
    "steps": 2,
    "pack": 8,
    "budget": 90.0,
    "objectives": ("accuracy", "compute"),
}
LENGTH, WIDTH, INNER = 16, 16, 32
LAYER = LENGTH * (4 * WIDTH**2 + 2 * WIDTH * INNER) + 2 * LENGTH**2 * WIDTH


def shares(found: Results) -> dict[int, float]:
    """Compute of every complete trial, by its number, in percent."""
    return {t.number: t.objectives["compute"].value for t in found.trials if t.objectives}


@pytest.mark.filterwarnings("ignore")
def test_skipped_layers_are_searched_against_accuracy(tmp_path: Path) -> None:
    given = tiny_bundle.settings(tiny_bundle.material(tmp_path), space="das", **OPTIONS)
    found = search.run(given, tmp_path / "s.journal", Listener())
    seen = set()
    for trial in (t for t in found.trials if t.objectives and not t.default):
        skips = [p for p in trial.configuration.placements if p.module == "skip"]
        saved = sum(LAYER - 2 * int(p.settings["bottleneck"]) * WIDTH * LENGTH for p in skips)
        # The checkpoint has no pooler: it is a part of the head.
        frozen = trial.measurements["multiply_adds_frozen"].value
        assert frozen == pytest.approx(3 * LAYER, abs=WIDTH**2)
        assert trial.objectives["compute"].value == pytest.approx(100 * (1 - saved / frozen))
        seen.add(len(skips))
    assert len(seen) > 1
    front = [shares(found)[number] for number in found.front]
    assert front == sorted(front)
    assert min(shares(found).values()) == front[0]
    study, page = str(tmp_path / "s.journal"), tmp_path / "page.html"
    assert cli.main(["status", study]) == cli.main(["report", study, "-o", str(page)]) == 0
    assert "Compute" in page.read_text()
