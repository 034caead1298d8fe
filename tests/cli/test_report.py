"""`report`: where the page goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopeft.cli import watching
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


def test_the_suffix_says_what_is_written(study: Path, run: Run) -> None:
    for name, start in (("r.parquet", b"PAR1"), ("front.svg", b"<?xml"), ("r.csv", b"study,")):
        assert run("report", "-o", name)[:2] == (0, f"{name}\n")
        assert Path(name).read_bytes().startswith(start)


def test_several_studies_are_one_page(study: Path, run: Run) -> None:
    Path("b.journal").touch()
    code, out, _ = run("report", "a.journal", "b.journal", "--plotly", "cdn")
    assert (code, out) == (0, "studies.html\n")
    assert "A a" in Path("studies.html").read_text()


def test_a_watched_page_refreshes_itself(
    study: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "follow", lambda paths, write: None)
    assert run("report", "--watch", "--plotly", "cdn")[0] == 0
    assert '<html lang="en" data-refresh="20">' in Path("a.html").read_text()


@pytest.mark.parametrize("target", ["-", "r.parquet"])
def test_only_a_page_is_watched(study: Path, run: Run, target: str) -> None:
    assert run("report", "--watch", "-o", target)[:2] == (2, "")


def test_a_random_search_goes_into_the_progress_of_one_study(study: Path, run: Run) -> None:
    Path("random.journal").touch()
    asked = ("report", "a.journal", "--reference", "random.journal", "--plotly", "cdn")
    assert run(*asked)[:2] == (0, "a.html\n")
    assert "trials the study covers" in Path("a.html").read_text()
    code, out, err = run("report", "a.journal", "random.journal", "--reference", "random.journal")
    assert (code, out) == (2, "")
    assert "`--reference` goes with one study" in err


def test_a_score_from_elsewhere_is_told(study: Path, run: Run) -> None:
    assert run("report", "--yardstick", "full fine-tuning=91.2±0.4", "--plotly", "cdn")[0] == 0
    assert "full fine-tuning" in Path("a.html").read_text()
    assert run("report", "--yardstick", "full fine-tuning")[:2] == (2, "")
