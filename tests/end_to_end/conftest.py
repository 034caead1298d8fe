"""A real browser on pages from disk: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from autopeft.training.layer_recorder import Recorder

PATIENCE = 120_000
"""Milliseconds; a loaded machine draws slowly, and no test is about speed."""


@dataclass
class Opened:
    """A page, and what went wrong in it or was asked for outside."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """What an element says."""
        return str(self.page.inner_text(selector))

    def selected(self) -> str:
        """The trial in the address."""
        return str(self.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('trial')"))

    def until(self, condition: str) -> None:
        """Wait for a JavaScript condition.

        Playwright's own ``wait_for_function`` evaluates text inside the page from the second poll
        on, which the page's Content-Security-Policy forbids.
        """
        end = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            self.page.wait_for_timeout(50)

    def copied(self) -> str:
        """What is on the clipboard."""
        return str(self.page.evaluate("navigator.clipboard.readText()"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; the tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("AUTOPEFT_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("no chromium here: `apt-get install chromium`, or set AUTOPEFT_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_page(browser: Any, file: Path, **context: Any) -> Opened:
    """Open a page and wait until every figure is drawn; without JavaScript there is no waiting."""
    made = browser.new_context(**context)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    page = made.new_page()
    page.set_default_timeout(PATIENCE)
    opened = Opened(page)
    page.on(
        "console", lambda m: m.type in ("error", "warning") and opened.complaints.append(m.text)
    )
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.goto(file.as_uri())
    if context.get("java_script_enabled", True):
        page.wait_for_selector("html.drawn", state="attached")
    return opened


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core; the test is skipped where it was not fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    file = Path(os.environ.get("AUTOPEFT_AXE") or cache / "autopeft-tests" / "axe.min.js")
    if not file.is_file():
        pytest.skip(f"no axe-core at {file}: unpack it there from `npm pack axe-core`")
    return file.read_text(encoding="utf-8")


RECORDINGS: dict[Hashable, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _recorded_once() -> Iterator[None]:
    """Searches of the same tiny model share their recordings of layers, which take most of them."""

    def remembered(record: Callable[..., Any]) -> Callable[..., Any]:
        def recall(recorder: Recorder, *arguments: Any) -> Any:
            config: Any = recorder.model.config
            model = (config.to_json_string(), tuple(recorder.head), recorder.task.label)
            key = (record.__name__, model, recorder.target, arguments)
            if key not in RECORDINGS:
                RECORDINGS[key] = record(recorder, *arguments)
            return RECORDINGS[key]

        return recall

    with pytest.MonkeyPatch.context() as patch:
        for name in ("layer", "around"):
            patch.setattr(Recorder, name, remembered(getattr(Recorder, name)))
        yield
