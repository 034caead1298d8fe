"""Size of a report of 200 trials, and the time until it can be used; run by hand, prints JSON.

    python tests/benchmarks/report.py [--trials 200] [--times 5] [--output FILE]

Interactive is when every figure is drawn and the first trial is selected, from the start of
loading a local file in headless Chromium with a cold cache: the median of several fresh browsers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autopeft import catalog, report
from autopeft.confirmation.front_probability import annotated
from autopeft.types import Results
from tests import results_fixture as fixture


def study(count: int) -> Results:
    """A study of the kind that the tests use, of that many trials."""
    found = fixture.trials()[:3]
    more = (
        fixture.measured_trial(n, fixture.searched_placements(n), "gp") for n in range(3, count)
    )
    return annotated(fixture.of_trials((*found, *more)))


def seconds_to_use(file: Path, path: str) -> dict[str, float]:
    """Seconds until the front is drawn, and until everything is."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(300_000)
        start = time.perf_counter()
        page.goto(file.as_uri(), wait_until="commit")
        page.wait_for_selector("#front-figure .main-svg", state="attached")
        front = time.perf_counter() - start
        page.wait_for_selector("html.drawn", state="attached")
        everything = time.perf_counter() - start
        browser.close()
    return {"front": front, "everything": everything}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    path = os.environ.get("AUTOPEFT_CHROMIUM") or shutil.which("chromium")
    results = study(given.trials)
    start = time.perf_counter()
    page = report.render(results, catalog.views.all())
    rendered = time.perf_counter() - start
    found: dict[str, object] = {
        "trials": given.trials,
        "bytes": len(page.encode()),
        "limit_bytes": 2_200_000,
        "seconds_to_write": round(rendered, 2),
        "processors": os.cpu_count(),
        "load_before": [round(load, 1) for load in os.getloadavg()],
        "machine": platform.machine(),
    }
    if path:
        with tempfile.TemporaryDirectory() as folder:
            file = report.write(page, Path(folder) / "report.html")
            runs = [seconds_to_use(file, path) for _ in range(given.times)]
        for name in ("front", "everything"):
            found[f"seconds_to_{name}"] = round(statistics.median(r[name] for r in runs), 2)
        found["limit_seconds"] = 5.0
    text = json.dumps(found, indent=2)
    print(text)
    if given.output:
        given.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
