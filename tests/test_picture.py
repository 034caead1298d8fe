"""A picture of the front without a browser: the same points as the page, the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from autopeft import catalog, picture
from autopeft.errors import MissingError, UsageError
from tests import results_fixture as fixture

pytest.importorskip("matplotlib", reason="matplotlib is an optional extra")


@pytest.fixture(scope="module")
def figure() -> dict[str, Any]:
    figures = catalog.views.load("front").data(fixture.make())["figures"]["front-figure"]
    found: dict[str, Any] = figures["trainable_parameters/accuracy"]
    return found


def test_svg_is_the_same_every_time_and_holds_the_words(
    figure: dict[str, Any], tmp_path: Path
) -> None:
    first, second = (picture.write(figure, tmp_path / f"{n}.svg").read_bytes() for n in "ab")
    assert first == second
    text = first.decode()
    assert "LoRA r=8 on q,v" in text
    assert "accuracy, % → better" in text
    assert "<b>" not in text


def test_every_point_of_the_page_is_drawn(figure: dict[str, Any]) -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    picture.draw(figure, axes)
    shown = {
        (float(x[0]), float(y[0]))
        for x, y in (line.get_data() for line in axes.lines)
        if len(x) == 1
    }
    expected = {
        (x, y)
        for trace in figure["data"]
        if trace["mode"] != "lines"
        for x, y in zip(trace["x"], trace["y"], strict=True)
    }
    assert shown == expected


def test_png(figure: dict[str, Any], tmp_path: Path) -> None:
    assert picture.write(figure, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_it_says_what_to_install(
    figure: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingError) as caught:
        picture.write(figure, tmp_path / "a.svg")
    assert "pip install matplotlib" in caught.value.hint


def test_a_folder_that_is_not_there(figure: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        picture.write(figure, tmp_path / "none" / "a.svg")
