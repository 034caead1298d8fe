"""The page as a whole: offline, safe, complete and the same every time."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from autopeft import catalog, report
from autopeft.errors import UsageError
from autopeft.types import Results, View
from tests import results_fixture

VOID = {"meta", "input", "link", "br", "img"}
Attributes = list[tuple[str, str | None]]


class Outline(HTMLParser):
    """Elements, ids and texts; fails on a tag that closes another one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.feed(page)
        assert self.stack == []

    def handle_starttag(self, tag: str, attributes: Attributes) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def view(**changes: Any) -> View:
    given: dict[str, Any] = {
        "title": "A view",
        "order": 1,
        "caption": "How to read it.",
        "unavailable": lambda results: "",
        "html": lambda results: "<p>body</p>",
    }
    return View(**given | changes)


def page_data(page: str) -> Any:
    return json.loads(unpacked(page, "page-data"))


def unpacked(page: str, identity: str) -> str:
    found = re.search(rf'id="{identity}">([^<]*)<', page)
    assert found is not None
    return gzip.decompress(base64.b85decode(found[1].replace(",", "<"))).decode()


@pytest.fixture(scope="module")
def results() -> Results:
    return results_fixture.make()


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return report.render(results, catalog.views.all())


def test_the_same_results_give_the_same_bytes(results: Results, page: str) -> None:
    assert report.render(results_fixture.make(), catalog.views.all()) == page


def test_every_element_is_closed_and_every_id_is_its_own(page: str) -> None:
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("b") == 0


def test_hostile_names_stay_text(page: str) -> None:
    assert "</script><b>" not in page
    assert "&lt;/script&gt;&lt;b&gt;&amp;&quot;" in page


def test_nothing_outside_is_asked_for(page: str) -> None:
    assert "default-src 'none'; script-src 'unsafe-inline'; style-src" in page
    outside = re.findall(r"""(?:src|href)="([^"#]+)"|url\(""", page)
    assert outside == []


def test_plotly_is_the_installed_one_and_shares_nothing(page: str) -> None:
    assert unpacked(page, "plotly-gzip") == get_plotlyjs()
    assert "showSendToCloud: false" in page
    assert "displaylogo: false" in page
    assert len(page) < 2_200_000


def test_figures_carry_no_template(page: str) -> None:
    assert '"template"' not in unpacked(page, "page-data")


def test_cdn_is_pinned_by_version_and_digest(results: Results) -> None:
    page = report.render(results, catalog.views.all(), plotly="cdn")
    assert f"https://cdn.plot.ly/plotly-{get_plotlyjs_version()}.min.js" in page
    assert 'integrity="sha256-' in page
    assert "script-src 'unsafe-inline' https://cdn.plot.ly;" in page
    assert len(page) < 150_000


def test_directory_puts_plotly_beside_the_page(results: Results, tmp_path: Path) -> None:
    path = report.write("page", tmp_path / "r.html", plotly="directory")
    page = report.render(results, catalog.views.all(), plotly="directory")
    assert '<script src="plotly.min.js"></script>' in page
    assert path.read_text(encoding="utf-8") == "page"
    assert (tmp_path / "plotly.min.js").read_text(encoding="utf-8") == get_plotlyjs()


def test_views_come_in_their_order(results: Results) -> None:
    views = {"a": view(title="Last", order=9), "b": view(title="First", order=2)}
    page = report.render(results, views)
    assert page.index(">First</h2>") < page.index(">Last</h2>")


def test_no_figure_no_plotly(results: Results) -> None:
    assert 'id="plotly-gzip"' not in report.render(results, {"a": view()})


def test_an_unavailable_view_says_why_and_is_not_drawn(results: Results) -> None:
    def refuse(results: Results) -> Any:
        raise AssertionError

    gone = view(unavailable=lambda results: "Needs <two> objectives.", html=refuse, data=refuse)
    page = report.render(results, {"gone": gone})
    assert "Needs &lt;two&gt; objectives." in page
    assert page_data(page) == {}


def test_data_may_hold_markup_and_numbers_that_json_lacks(results: Results) -> None:
    data = {"a": [math.nan, math.inf, 1.5], "b": "</script><!--", "template": 1}
    page = report.render(results, {"v": view(data=lambda results: data)})
    assert page_data(page) == {"v": {"a": [None, None, 1.5], "b": "</script><!--"}}


def test_dollars_in_names_are_left_alone(results: Results) -> None:
    page = report.render(results, {"v": view(html=lambda results: "$title ${data}")})
    assert "$title ${data}" in page


def test_a_study_without_trials_is_a_page(results: Results) -> None:
    page = report.render(results_fixture.of_trials(()), catalog.views.all())
    Outline(page)
    assert page.count("No trial has finished yet.") >= 3


def test_an_unknown_carrier_is_refused(results: Results) -> None:
    with pytest.raises(UsageError, match="`fax`") as caught:
        report.render(results, {}, plotly="fax")  # type: ignore[arg-type]
    assert "inline" in caught.value.hint


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        report.write("page", tmp_path / "missing" / "r.html")
