"""`report`: where the page goes."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_report_writes_beside_the_study_and_prints_the_path(study: Path, run: Run) -> None:
    code, out, _ = run("report", "--plotly", "cdn")
    assert (code, out) == (0, "a.html\n")
    assert Path("a.html").read_text().startswith("<!doctype html>")


def test_report_to_stdout(study: Path, run: Run) -> None:
    code, out, _ = run("report", "-o", "-", "--plotly", "cdn")
    assert code == 0
    assert out.rstrip().endswith("</html>")
    assert not Path("a.html").exists()


def test_report_into_a_folder_that_is_not_there(study: Path, run: Run) -> None:
    code, out, err = run("report", "-o", "none/r.html", "--plotly", "cdn")
    assert (code, out) == (2, "")
    assert "`none/r.html` cannot be written" in err
