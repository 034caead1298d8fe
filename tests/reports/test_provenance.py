"""Everything recorded is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from autopeft import catalog
from autopeft.types import View
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def view() -> View:
    return catalog.views.load("provenance")


def with_info(view: View, **info: Any) -> str:
    return view.html(dataclasses.replace(fixture.make(), info=info))


def test_every_recorded_value_is_shown_escaped(view: View) -> None:
    html = view.html(fixture.make())
    for text in ("MiniLM", "3f9c1b2a77d0", "2.13.0", "float32", "0, 1, 2", "22,565,376"):
        assert text in html
    assert "<b>" not in html


def test_the_command_can_be_copied(view: View) -> None:
    html = view.html(fixture.make())
    assert 'data-copy="autopeft search --study a.journal --dataset &#x27;reviews' in html
    assert "Repeat it" not in with_info(view)


def test_known_entries_come_first_and_new_ones_by_name(view: View) -> None:
    html = with_info(view, zeal="z", added="a", device="cpu", model="m")
    places = [html.index(f"<dt>{name}</dt>") for name in ("model", "device", "added", "zeal")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "none"),
        ("", "none"),
        ({}, "none"),
        ([], "none"),
        (0, "0"),
        (True, "yes"),
        (False, "no"),
        ([1, "<i>"], "1, &lt;i&gt;"),
        ([{"a": 1}], '<ul><li><dl class="entries"><dt>a</dt><dd>1</dd></dl></li></ul>'),
    ],
)
def test_values_of_every_kind(view: View, value: Any, expected: str) -> None:
    assert f"<dt>entry</dt><dd>{expected}</dd>" in with_info(view, entry=value)


def test_it_is_there_before_the_first_trial(view: View) -> None:
    assert view.unavailable(fixture.of_trials(())) == ""
