"""The page of one study in a browser: selecting, keys, filters, copying, themes, print, phone."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from autopeft import catalog, report
from autopeft.cli.lora_config import python_text
from autopeft.confirmation.front_probability import annotated
from autopeft.types import Results
from tests import results_fixture as fixture
from tests.end_to_end.conftest import Opened, open_page

MOVED = 8
"""A trial that ships something else than it held."""


@pytest.fixture(scope="module")
def results() -> Results:
    trials = list(fixture.trials())
    shipped = [{"site": "5.mlp.up", "module": "lora", "settings": {"rank": 3, "scaling": 2.0}}]
    about = {**trials[MOVED].provenance, "shipped": shipped}
    trials[MOVED] = replace(trials[MOVED], provenance=about)
    return annotated(fixture.of_trials(tuple(trials)))


@pytest.fixture(scope="module")
def file(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = report.render(results, catalog.views.all())
    return report.write(page, tmp_path_factory.mktemp("page") / "study.html")


@pytest.fixture(scope="module")
def loaded(chromium: Any, file: Path) -> Iterator[Opened]:
    opened = open_page(chromium, file, viewport={"width": 1280, "height": 900})
    yield opened
    opened.page.context.close()


@pytest.fixture
def opened(loaded: Opened) -> Iterator[Opened]:
    """The page with trial 21 selected, in a light theme on a wide screen."""
    loaded.page.set_viewport_size({"width": 1280, "height": 900})
    loaded.page.emulate_media(media="screen", color_scheme="light")
    loaded.page.evaluate("location.hash = '#trial=21'")
    loaded.until("document.getElementById('layers-name').textContent === '#21'")
    yield loaded
    assert loaded.complaints == []


def wait_for(opened: Opened, trial: int) -> None:
    """Wait until every view shows the trial."""
    opened.until(f"document.getElementById('layers-name').innerText === '#{trial}'")


def assert_everywhere(opened: Opened, trial: int) -> None:
    """The trial is selected in the table, the layers, the comparison, the figures, the address."""
    wait_for(opened, trial)
    assert opened.selected() == str(trial)
    assert opened.page.locator(f'#trials tr.selected[data-trial="{trial}"]').count() == 1
    assert opened.text("#configuration-name") == f"#{trial}"
    assert opened.text("#compare-table thead th:nth-child(2)") == f"#{trial}"
    for figure in ("front-figure", "proxies-figure", "cost-figure"):
        marks = opened.page.evaluate(
            f"document.getElementById('{figure}').data.find(t => t.meta === 'selection').x.length"
        )
        assert marks == 1, figure


def test_nothing_is_asked_from_outside(opened: Opened, file: Path) -> None:
    outside = [url for url in opened.requests if not url.startswith(("data:", "blob:"))]
    assert {url.partition("#")[0] for url in outside} == {file.as_uri()}


def test_every_view_is_there_and_drawn(opened: Opened) -> None:
    titles = opened.page.locator("main h2").all_inner_texts()
    assert titles == [
        *("Summary", "Front", "Configurations", "Layers", "Compare", "Parallel coordinates"),
        *("Progress", "Importance", "Confirmation", "Proxies", "Cost", "Provenance"),
    ]
    assert opened.page.locator(".figure .main-svg").count() >= 6
    assert opened.page.locator("p.unavailable").count() == 1
    assert "Not confirmed" in opened.text("#confirmation")


def test_hostile_names_are_only_text(opened: Opened) -> None:
    assert opened.page.locator("b").count() == 0
    assert fixture.HOSTILE in opened.text("h1")


def test_a_click_on_a_row_selects_everywhere(opened: Opened, results: Results) -> None:
    number = results.front[0]
    opened.page.click(f'#trials tr[data-trial="{number}"] td')
    assert_everywhere(opened, number)


def test_a_click_on_a_point_selects_everywhere(opened: Opened, results: Results) -> None:
    number = results.front[-1]
    place = opened.page.evaluate(
        """number => {
            const figure = document.getElementById("front-figure");
            figure.scrollIntoView({block: "center"});
            const trace = figure.data.find(t => t.customdata?.includes(number));
            const at = trace.customdata.indexOf(number);
            const {xaxis, yaxis} = figure._fullLayout;
            const box = figure.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.d2p(trace.x[at]),
                    box.top + yaxis._offset + yaxis.d2p(trace.y[at])];
        }""",
        number,
    )
    opened.page.mouse.move(*place)
    opened.page.wait_for_selector("#front-figure .hovertext")
    assert f"#{number}" in opened.page.text_content("#front-figure .hoverlayer")
    opened.page.mouse.click(*place)
    assert_everywhere(opened, number)


@pytest.mark.parametrize("place", ["#summary .card", "#layers .multiples", "#front .budgets"])
def test_a_number_is_a_button_that_selects(opened: Opened, place: str) -> None:
    button = opened.page.locator(f"{place} button[data-trial]").first
    number = int(button.inner_text().removeprefix("#"))
    button.click()
    assert_everywhere(opened, number)


def test_the_address_selects_and_a_wrong_one_does_not(opened: Opened) -> None:
    opened.page.evaluate("location.hash = '#trial=7'")
    assert_everywhere(opened, 7)
    opened.page.evaluate("""location.hash = '#trial=<b>'""")
    assert opened.text("#layers-name") == "#7"


def test_the_map_is_of_what_ships_where_that_is_recorded(opened: Opened) -> None:
    assert opened.text("#layers-state") == ""
    opened.page.evaluate(f"location.hash = '#trial={MOVED}'")
    wait_for(opened, MOVED)
    assert opened.text("#layers-state") == "as shipped"
    assert opened.page.locator("#layers-map td:not(.s0)").all_inner_texts() == ["3"]
    opened.page.evaluate("location.hash = '#trial=21'")
    wait_for(opened, 21)
    assert opened.text("#layers-state") == ""


def test_arrows_move_and_enter_copies(opened: Opened, results: Results) -> None:
    opened.page.click(f'#trials tr[data-trial="{results.front[0]}"] td')
    opened.page.focus(f'#trials tr[data-trial="{results.front[0]}"]')
    opened.page.keyboard.press("ArrowDown")
    assert_everywhere(opened, results.front[1])
    opened.page.keyboard.press("End")
    assert_everywhere(opened, results.front[-1])
    opened.page.keyboard.press("Enter")
    opened.until("document.getElementById('status').textContent !== ''")
    expected = results.trial(results.front[-1]).configuration.to_json()
    assert json.loads(opened.copied()) == expected
    assert opened.text("#status") == f"Configuration of #{results.front[-1]} copied"


def test_yaml_and_python_are_what_the_command_line_prints(opened: Opened, results: Results) -> None:
    number = next(
        n
        for n in results.front
        if {p.module for p in results.trial(n).configuration.placements} == {"lora"}
    )
    opened.page.evaluate(f"location.hash = '#trial={number}'")
    wait_for(opened, number)
    opened.page.click('[data-format="yaml"]')
    opened.until("document.getElementById('status').textContent !== ''")
    groups = yaml.safe_load(opened.copied())["placements"]
    assert sum(len(group["sites"]) for group in groups) == len(
        results.trial(number).configuration.placements
    )
    opened.page.click('[data-format="python"]')
    opened.until("navigator.clipboard.readText().then(t => t.startsWith('# Trial'))")
    assert opened.copied() == python_text(results, results.trial(number))
    with contextlib.redirect_stdout(io.StringIO()):
        compile(opened.copied(), "copied", "exec")


def test_a_mixture_has_no_lora_config(opened: Opened) -> None:
    assert opened.page.is_disabled('[data-format="python"]')


def test_a_command_is_copied_by_its_button(opened: Opened) -> None:
    command = opened.page.locator("#summary .command").first
    command.locator("button").click()
    opened.until("document.getElementById('status').textContent === 'Command copied'")
    assert opened.copied() == command.locator("code").inner_text()
    assert opened.copied().startswith("autopeft export 'studies/</script>")


def test_every_trial_has_the_command_that_trains_it(opened: Opened, results: Results) -> None:
    export = f"autopeft export {shlex.quote(results.study)} 21 --to train -o train-21"
    assert opened.text("#configuration-command") == f"{export} && python train-21/train.py"
    opened.page.click("#configuration-copy")
    opened.until("document.getElementById('status').textContent === 'Command copied'")
    assert opened.copied().startswith(export)


def test_the_table_sorts_and_filters(opened: Opened, results: Results) -> None:
    page = opened.page
    page.click("#trials th:nth-child(2) .sort")
    values = [
        float(v.split()[0])
        for v in page.locator("#trials tr:not(.other) td:nth-child(2)").all_inner_texts()
    ]
    assert values == sorted(values)
    assert page.get_attribute("#trials th:nth-child(2)", "aria-sort") == "ascending"
    page.fill("#table-filter", "serial_adapter")
    shown = page.locator("#trials tbody tr:visible").all_inner_texts()
    assert shown
    assert all("serial_adapter" in text for text in shown)
    assert opened.text("#table-count") == f"{len(shown)} shown"
    page.fill("#table-filter", "")
    page.check("#table-all")
    assert page.locator("#trials tbody tr:visible").count() == 38
    page.uncheck("#table-all")
    assert page.locator("#trials tbody tr:visible").count() == len(results.front)


def test_the_slider_walks_along_the_stairs(opened: Opened) -> None:
    slider = opened.page.locator("#budget-step")
    slider.focus()
    opened.page.keyboard.press("Home")
    first = opened.selected()
    assert "of trainable parameters: #" in opened.text("#budget-text")
    opened.page.keyboard.press("ArrowRight")
    assert opened.selected() != first
    assert f"#{opened.selected()}," in opened.text("#budget-text")
    wait_for(opened, int(opened.selected()))
    shapes = opened.page.evaluate("document.getElementById('front-figure').layout.shapes.length")
    assert shapes == 1


def test_any_two_objectives_and_a_logarithmic_axis(opened: Opened) -> None:
    across = opened.page.locator('select[data-figure="front-figure"]').first
    across.select_option("peak_memory")
    title = "document.getElementById('front-figure').layout.xaxis.title.text"
    opened.until(f"{title}.includes('peak memory')")
    across.select_option("accuracy")
    opened.until(f"{title}.startsWith('accuracy')")
    up = opened.page.locator('select[data-figure="front-figure"]').last
    assert up.input_value() == "peak_memory"
    up.select_option("accuracy")
    across.select_option("trainable_parameters")
    opened.page.check('[data-log="front-figure"]')
    opened.until("document.getElementById('front-figure').layout.xaxis.type === 'log'")
    opened.page.uncheck('[data-log="front-figure"]')


def test_comparing_with_another_trial(opened: Opened) -> None:
    opened.page.select_option("#compare-with", "0")
    assert opened.text("#compare-table thead th:nth-child(3)") == "#0"
    assert re.match(
        "[+\N{MINUS SIGN}][\\d.]+ ± [\\d.]+ points$",
        opened.text("#compare-table tbody tr td:nth-child(4)"),
    )
    assert opened.text("#compare-sites").startswith("They differ at")
    opened.page.evaluate("location.hash = '#trial=0'")
    wait_for(opened, 0)
    assert opened.text("#compare-sites") == "They have the same modules at the same sites."


def test_an_axis_of_parallel_coordinates_is_narrowed_flipped_and_reset(opened: Opened) -> None:
    page = opened.page
    assert opened.text("#parallel-count") == "38 of 38 trials"
    page.select_option("#parallel-axis", label="accuracy, %")
    page.locator("#parallel-low").fill("90")
    opened.until("!document.getElementById('parallel-count').textContent.startsWith('38 of')")
    assert int(opened.text("#parallel-count").split()[0]) < 20
    page.click("#parallel-flip")
    page.click("#parallel-clear")
    assert opened.text("#parallel-count") == "38 of 38 trials"
    page.click("#parallel-flip")


def test_progress_over_seconds(opened: Opened) -> None:
    opened.page.select_option('select[data-figure="progress-figure"]', "seconds")
    opened.until(
        "document.getElementById('progress-figure').layout.xaxis.title.text.includes('seconds')"
    )


def test_dark_and_light_and_print(opened: Opened) -> None:
    page = opened.page
    ink = "getComputedStyle(document.querySelector('#front-figure .xtick text')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    assert (page.evaluate(paper), page.evaluate(ink)) == ("rgb(255, 255, 255)", "rgb(27, 33, 40)")
    page.emulate_media(color_scheme="dark")
    assert (page.evaluate(paper), page.evaluate(ink)) == ("rgb(13, 17, 23)", "rgb(230, 233, 237)")
    page.emulate_media(media="print", color_scheme="dark")
    assert (page.evaluate(paper), page.evaluate(ink)) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 20


def test_a_phone_scrolls_in_one_direction(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 360, "height": 740})
    opened.page.wait_for_timeout(500)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Opened, axe: str, scheme: str) -> None:
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.add_script_tag(content=axe)
    found = opened.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (v["id"], [n["html"][:120] for n in v["nodes"][:3]])
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_without_javascript_the_words_and_tables_remain(
    chromium: Any, file: Path, results: Results
) -> None:
    opened = open_page(chromium, file, java_script_enabled=False)
    assert "Most accurate" in opened.text("#summary")
    assert "Against the defaults" in opened.text("#summary")
    assert opened.page.locator("#trials tbody tr:visible").count() == len(results.front)
    assert opened.page.locator(".controls:visible").count() == 0
    assert "The figure needs JavaScript." in opened.text("#front")
    assert opened.page.locator("#layers-map td:not(.s0)").count() > 0
    opened.page.context.close()
