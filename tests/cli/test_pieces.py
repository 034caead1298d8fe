"""`list`, `doctor`, `inspect` and `importance`."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autopeft import catalog, checkpoint, workbench
from autopeft.cli import doctor
from autopeft.cli.importance import share_table
from autopeft.cli.listing import KINDS
from autopeft.errors import MissingError
from autopeft.scoring import comparison
from autopeft.scoring.comparison import Compared
from autopeft.types import Scores
from tests import results_fixture
from tests.cli.conftest import Run
from tests.tiny_models import bert


def document(run: Run, *words: str) -> Any:
    code, out, _ = run(*words)
    assert code == 0
    return json.loads(out)


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_names_every_piece(kind: str, run: Run) -> None:
    code, out, err = run("list", kind)
    lines = [line.split("\t") for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert lines[0] == ["name", *KINDS[kind]]
    assert [line[0] for line in lines[1:]] == getattr(catalog, kind).names()
    assert all(len(line) == len(lines[0]) for line in lines)


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_as_json(kind: str, run: Run) -> None:
    data = document(run, "list", kind, "--json")
    assert (data["schema"], data["kind"]) == ("autopeft.list/1", kind)
    for item in data["items"]:
        assert document(run, "list", kind, item["name"], "--json")["items"] == [item]


def test_list_alone_says_what_can_be_listed(run: Run) -> None:
    code, out, _ = run("list")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()[1:]] == list(KINDS)
    assert [item["name"] for item in document(run, "list", "--json")["items"]] == list(KINDS)


def test_a_space_of_ones_own_is_shown_too(here: Path, run: Run) -> None:
    text = "name: mine\nmodules: [lora]\ndimensions:\n  lora.rank: {choice: [0, 4], per: layer}\n"
    Path("mine.yaml").write_text(text)
    (item,) = document(run, "list", "spaces", "mine.yaml", "--json")["items"]
    assert item["name"] == "mine.yaml"
    assert item["dimensions"][0]["name"] == "lora.rank"


# --- doctor -----------------------------------------------------------------------------------


def test_doctor_is_content_here(here: Path, run: Run) -> None:
    data = document(run, "doctor", "--json")
    found = {check["name"]: check for check in data["checks"]}
    assert data["schema"] == "autopeft.doctor/1"
    assert data["ok"] is True
    assert {"python", "torch", "transformers", "peft", "optuna", "plotly", "cores"} <= set(found)
    assert found["gpu"]["needed"] is False


def test_4_when_something_needed_is_missing(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "no-such-package"))
    code, out, err = run("doctor")
    assert code == 4
    assert "no-such-package\tmissing\tnot installed" in out
    assert "error: missing here: no-such-package\n\nhint: pip install no-such-package" in err
    code, out, _ = run("doctor", "--json")
    assert (code, json.loads(out)["ok"]) == (4, False)


def test_the_quickstart_model_is_optional(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingError("the quickstart model is not installed")

    monkeypatch.setattr(checkpoint, "quickstart_folder", missing)
    code, out, _ = run("doctor")
    assert code == 0
    assert "quickstart\toptional\tthe quickstart model is not installed" in out


# --- inspect and importance -------------------------------------------------------------------


def test_inspect_counts_sites_and_says_what_fits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bert()
    monkeypatch.setattr(checkpoint, "skeleton", lambda source, offline: model)
    code, out, _ = run("inspect", "some/model")
    facts, sites = out.split("\n\n")
    rows = [line.split("\t") for line in sites.splitlines()]
    layers = dict(line.split("\t") for line in facts.splitlines())["layers"]
    assert code == 0
    assert rows[1][:2] == ["attention.query", "linear"]
    assert {row[4] for row in rows[1:]} == {layers}
    assert {row[1]: row[5] for row in rows[1:]} == {
        "linear": "adalora, dsl, dylora, increlora, ist, lora, sparse, triadapt",
        "attention": "cut_heads, prefix",
        "mlp": "cut_neurons, parallel_adapter",
        "layer": "serial_adapter",
        "whole_layer": "das, skip",
    }
    data = document(run, "inspect", "some/model", "--json")
    assert data["schema"] == "autopeft.inspect/1"
    assert {"name", "layer", "role", "kind", "path", "in", "out", "modules"} == set(
        data["sites"][0]
    )


def test_4_for_a_model_that_is_not_there(here: Path, run: Run) -> None:
    code, out, err = run("inspect", "./no-such-model", "--offline")
    assert (code, out) == (4, "")
    assert "cannot load model `./no-such-model`" in err


def test_shares_of_importance_sum_to_a_hundred() -> None:
    backbone = results_fixture.backbone()
    sites = {site.name: float(i % 5) for i, site in enumerate(backbone.sites)}
    del sites["0.mlp.up"]
    made = share_table(sites, backbone)
    assert made.columns[0] == "layer"
    assert made.rows[0][made.columns.index("mlp.up")] == "\N{MIDDLE DOT}"
    assert sum(float(row[-1]) for row in made.rows) == pytest.approx(100, abs=0.05)
    assert max(made.heat.values()) == 1
    assert (0, made.columns.index("mlp.up")) not in made.heat


def compared(method: str, *seeds: float) -> Compared:
    """Scores that rise with the site, steeper for a larger seed; falling for a negative one."""
    names = [site.name for site in results_fixture.backbone().sites if site.kind == "linear"]
    runs = []
    for slope in seeds:
        site = {name: 99 + index * slope for index, name in enumerate(names)}
        runs.append(Scores(method, site, {"seconds": 1.5, "memory": None}))
    return Compared(method, tuple(runs))


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = SimpleNamespace(backbone=results_fixture.backbone())
    found = {"fisher": compared("fisher", 1, 2), "spt": compared("spt", -1, 1)}
    monkeypatch.setattr(workbench, "build", lambda settings, note: bench)
    monkeypatch.setattr(
        comparison,
        "compare",
        lambda bench, methods, seeds, note: [found[name] for name in methods],
    )


def test_importance_prints_a_table_per_method_and_one_of_all(scored: None, run: Run) -> None:
    code, out, _ = run("importance", "--method", "fisher", "--method", "spt", "-q")
    assert code == 0
    first, second, table = out.split("\n\n")
    assert (first.split("\n")[0], second.split("\n")[0]) == ("fisher", "spt")
    rows = [line.split("\t") for line in table.splitlines()]
    assert rows[0] == ["method", "seconds", "memory", "stability", "~ fisher", "~ spt"]
    assert rows[1][:5] == ["fisher", "1.5", "\N{EN DASH}", "1.00", "1.00"]
    assert rows[2][3] == "-1.00"


def test_importance_as_json_says_what_would_be_placed(scored: None, run: Run) -> None:
    data = document(run, "importance", "--method", "fisher", "--json", "-q", "--budget", "1%")
    assert data["schema"] == "autopeft.importance/2"
    (one,) = data["methods"]
    assert sum(one["site"].values()) == pytest.approx(1)
    assert one["memory"] is None
    made = one["allocation"]
    assert made["parameters"] + made["slack"] == data["budget"]
    assert made["slack"] >= 0
    assert made["placements"]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A folder with a config and no weights."""
    bert(2).config.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def test_plan_says_what_fits(config: str, run: Run) -> None:
    words = ("plan", config, "--offline", "--train-length", "16", "--budget", "50%")
    code, out, err = run(*words, "--memory", "1GB")
    assert code == 0
    assert "predicted, not measured" in out
    assert "all linears\t12\tany\tany" in out
    assert "nothing is trained" in err


def test_plan_as_json_and_when_nothing_fits(config: str, run: Run) -> None:
    words = ("plan", config, "--offline", "--train-length", "16", "--budget", "50%", "--json")
    code, out, err = run(*words, "--memory", "1KB")
    assert code == 3
    data = json.loads(out)
    assert data["schema"] == "autopeft.plan/1"
    assert data["sample"]["fit_checkpointed"] == 0
    assert {one["rank"] for one in data["largest"]} == {0}
    assert "nothing fits in 1KB" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--train-batch", "0"), "`--train-batch 0`"),
        (("--for", "tpu"), "unknown device `tpu`"),
        (("--train-precision", "3bit"), "unknown precision `3bit`"),
        (("--memory", "much"), "`--memory much` is not a size"),
    ],
)
def test_plan_explains_wrong_words(words: tuple[str, ...], message: str, run: Run) -> None:
    code, out, err = run("plan", *words)
    assert (code, out) == (2, "")
    assert message in err
