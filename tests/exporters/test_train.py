"""The exported script repeats the trial: the same data order, steps, weights and score."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import autopeft
from autopeft.errors import ExportError
from autopeft.export.bundle import Bundle
from autopeft.exporters import _check, _lora, _script
from autopeft.exporters._script import SCORES, literal
from autopeft.exporters.train import EXPORTER
from autopeft.training.batches import order
from autopeft.training.loop import Protocol
from autopeft.types import Placement
from autopeft.workbench import Workbench
from tests import tiny_bundle

STEPS = 20


def mixture(made: Workbench) -> list[Placement]:
    return [
        *tiny_bundle.placed(made, "lora", [1, 0, 2], layers=[0, 2]),
        *tiny_bundle.placed(made, "prefix", [3, 2], layers=[0, 2]),
        *tiny_bundle.placed(made, "skip", [2], layers=[1]),
        *tiny_bundle.placed(made, "serial_adapter", [2], layers=[2]),
        *tiny_bundle.placed(made, "parallel_adapter", [2], layers=[0]),
    ]


def imported(script: Path) -> dict[str, Any]:
    """What the script defines."""
    names: dict[str, Any] = {"__name__": "script", "__file__": str(script)}
    exec(compile(script.read_text(), script, "exec"), names)
    return names


def run(folder: Path) -> str:
    """What the script prints, started from elsewhere in a process of its own."""
    command = [sys.executable, str(folder / "train.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_repeated(
    bundle: Bundle, folder: Path, trained: Mapping[str, torch.Tensor], *, printed: str
) -> None:
    """The script's score and its weights are the search's."""
    score = bundle.trial.measurements["score"]
    (said,) = (line for line in printed.splitlines() if line.startswith("validation"))
    assert said == (
        f"validation accuracy {score.value:.4f} (search: {score.value:.4f} ± {score.error:.4f})"
    )
    found = load_file(next((folder / "adapter").glob("*.safetensors")))
    assert found.keys() == trained.keys()
    for name, tensor in trained.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-5)


def check_resized(folder: Path, *, printed: str) -> None:
    """What was cut is gone from the model that the script wrote, and it computes the same."""
    whole, smaller = autopeft.load(folder / "adapter"), autopeft.load_resized(folder / "resized")
    before, after = (
        sum(parameter.numel() for parameter in model.base_model.parameters())
        for model in (whole, smaller)
    )
    assert f"{after:,} weights instead of {before:,}" in printed
    assert after < before
    ids = torch.arange(1, 13).view(2, 6)
    with torch.no_grad():
        torch.testing.assert_close(smaller(ids).logits, whole(ids).logits, rtol=1e-4, atol=1e-5)
    assert "writes `resized/` too" in (folder / "train.py").read_text()


def test_a_lora_script_repeats_the_trial_without_autopeft(tmp_path: Path) -> None:
    made = tiny_bundle.bench(tmp_path, "bert", steps=STEPS, pairs=True)
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [1, 2, 0, 4]))
    EXPORTER.write(bundle, tmp_path / "out")
    script = (tmp_path / "out" / "train.py").read_text()
    assert not re.search(r"(import|from) autopeft", script)
    trained = _lora.weights(bundle, bundle.trained)
    check_repeated(bundle, tmp_path / "out", trained, printed=run(tmp_path / "out"))


@pytest.mark.filterwarnings("ignore")
def test_a_script_for_a_mixture_repeats_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tiny_bundle.bench(tmp_path, "gpt2", steps=STEPS)
    bundle = tiny_bundle.bundle(made, mixture(made))
    EXPORTER.write(bundle, tmp_path / "out")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    imported(tmp_path / "out" / "train.py")["main"]()
    check_repeated(bundle, tmp_path / "out", bundle.trained, printed=capsys.readouterr().out)
    written = json.loads((tmp_path / "out" / "adapter" / "autopeft.json").read_text())
    assert written["classes"] == ["a", "b", "c"]


@pytest.mark.filterwarnings("ignore")
def test_a_script_carries_training_time_methods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them at once, each at sites of its own, and what they end as."""
    made = tiny_bundle.bench(tmp_path, "bert", steps=STEPS)
    names = ("adalora", "dsl", "dylora", "increlora", "ist", "sparse", "triadapt")
    placements = [
        placement
        for index, name in enumerate(names)
        for placement in tiny_bundle.placed(made, name, [4])[index :: len(names)]
    ]
    for name in ("cut_heads", "cut_neurons"):
        placements += tiny_bundle.placed(made, name, [50])
    layers = [
        replace(placement, settings={**placement.settings, "share": 0.4})
        for placement in tiny_bundle.placed(made, "das", [2])
    ]
    bundle = tiny_bundle.bundle(made, [*placements, *layers])
    EXPORTER.write(bundle, tmp_path / "out")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    imported(tmp_path / "out" / "train.py")["main"]()
    trained = _lora.as_shipped(bundle).trained
    kinds = {name.split(":")[1] for name in trained if not name.startswith("head:")}
    assert kinds == {"lora", "skip", "sparse", "cut_heads", "cut_neurons"}
    printed = capsys.readouterr().out
    check_repeated(bundle, tmp_path / "out", trained, printed=printed)
    check_resized(tmp_path / "out", printed=printed)
    written = json.loads((tmp_path / "out" / "adapter" / "autopeft.json").read_text())
    cut = {p["site"]: p["module"] for p in written["configuration"]["placements"]}
    cut = {site: module for site, module in cut.items() if module.startswith("cut")}
    assert written["about"]["cut"].keys() == cut.keys()
    for site, module in cut.items():
        assert module == "cut_neurons" or len(written["about"]["cut"][site]) == 1


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A LoRA bundle on Llama and the folder of its script."""
    folder = tmp_path_factory.mktemp("lora")
    made = tiny_bundle.bench(folder, "llama")
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2]))
    EXPORTER.write(bundle, folder / "out")
    return bundle, folder / "out"


@pytest.mark.parametrize(
    ("rows", "batch", "steps", "seed"), [(5, 8, 7, 0), (72, 8, 20, 3), (100, 16, 100, 1)]
)
def test_the_script_has_the_order_and_schedule_of_the_search(
    lora: tuple[Bundle, Path], rows: int, batch: int, steps: int, seed: int
) -> None:
    names = imported(lora[1] / "train.py")
    names.update(STEPS=steps, BATCH=batch, SEED=seed)
    lengths = [7 * i % 11 for i in range(rows)]
    batches = order(lengths, batch, steps, seed=seed)
    assert names["order"](lengths) == [index for one in batches for index in one]
    protocol = Protocol(steps=steps, batch=batch, length=8, seed=seed)
    expected = [protocol.factor(step) for step in range(steps)]
    assert [names["factor"](step) for step in range(steps)] == expected


def test_the_script_reads_the_tokens_of_the_search(lora: tuple[Bundle, Path]) -> None:
    bundle, folder = lora
    names = imported(folder / "train.py")
    for name, split in zip(("train", "validation"), bundle.workbench.evaluator.splits, strict=True):
        rows = names["read"](folder / f"{name}.jsonl")
        assert [row.pop("labels") for row in rows] == split.labels.tolist()
        assert rows == list(split.rows)
    report = (folder / "report.jsonl").read_text().splitlines()
    assert len(report) == len(bundle.workbench.data.report)


def test_a_family_that_cannot_be_resized_says_so(tmp_path: Path) -> None:
    made = tiny_bundle.bench(tmp_path, "bert", steps=2)
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "cut_neurons", [50]))
    other = replace(made, backbone=replace(made.backbone, family="opt"))
    text = _script.text(replace(bundle, workbench=other))
    assert "this family cannot be resized" in text
    assert "autopeft.resize" not in text
    assert "autopeft.resize" in _script.text(bundle)


def test_only_the_adapter_and_the_head_are_trained(lora: tuple[Bundle, Path]) -> None:
    bundle, folder = lora
    with _check.quiet():
        model = imported(folder / "train.py")["build"]()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == sum(tensor.numel() for tensor in bundle.trained.values())


@pytest.mark.filterwarnings("ignore")
def test_full_fine_tuning_trains_every_weight_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tiny_bundle.bench(tmp_path, "bert", steps=2)
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [1]))
    EXPORTER.write(bundle, tmp_path / "out")
    with _check.quiet():
        model = imported(tmp_path / "out" / "train.py")["build"](torch.float32, full=True)
    assert all(p.requires_grad for p in model.parameters())
    assert not any("lora" in name for name, _ in model.named_parameters())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(sys, "argv", ["train.py", "--full", "5e-5"])
    runpy.run_path(str(tmp_path / "out" / "train.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert re.search(
        r"^validation accuracy \d\.\d{4} \(full fine-tuning at 5e-05\)$", printed, re.M
    )
    assert not list((tmp_path / "out").glob("adapter/*.safetensors"))


def test_without_initial_weights_they_are_drawn(lora: tuple[Bundle, Path], tmp_path: Path) -> None:
    shutil.copytree(lora[1], tmp_path / "out")
    (tmp_path / "out" / "initial.safetensors").unlink()
    with _check.quiet():
        assert imported(tmp_path / "out" / "train.py")["build"]() is not None


def test_a_regression_script(tmp_path: Path) -> None:
    made = tiny_bundle.bench(tmp_path, "bert", numbers=True)
    bundle = tiny_bundle.bundle(made, [])
    EXPORTER.write(bundle, tmp_path / "out")
    names = imported(tmp_path / "out" / "train.py")
    labels = [row["labels"] for row in names["read"](tmp_path / "out" / "train.jsonl")]
    assert labels == made.evaluator.splits[0].labels.tolist()
    text = (tmp_path / "out" / "train.py").read_text()
    assert "validation spearman" in text
    assert 'config.problem_type = "regression"' in text


def test_a_script_for_a_base_in_bfloat16(tmp_path: Path) -> None:
    made = tiny_bundle.bench(tmp_path, "bert", dtype="bfloat16")
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2]))
    EXPORTER.write(bundle, tmp_path / "out")
    with _check.quiet():
        model = imported(tmp_path / "out" / "train.py")["build"](torch.bfloat16)
    kinds = {(p.requires_grad, p.dtype) for p in model.parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}


def test_scripts_are_formatted(lora: tuple[Bundle, Path], tmp_path: Path) -> None:
    ruff = shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    shutil.copy(lora[1] / "train.py", tmp_path)
    options = ["--isolated", "--line-length=100"]
    script = str(tmp_path / "train.py")
    for command in (["check", "--select=E,F,I,UP,B"], ["format", "--check"]):
        done = subprocess.run([ruff, *command, *options, script], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_study_path_cannot_break_the_script(tmp_path: Path) -> None:
    made = tiny_bundle.bench(tmp_path, "bert")
    bundle = tiny_bundle.bundle(made, [])
    object.__setattr__(bundle, "study", 'a"""; $model \\u0000\n.journal')
    EXPORTER.write(bundle, tmp_path / "out")
    ast.parse((tmp_path / "out" / "train.py").read_text())


def test_a_model_that_computes_something_else_is_an_error(
    lora: tuple[Bundle, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = _lora.arguments
    monkeypatch.setattr(_lora, "arguments", lambda b: {**true(b), "lora_alpha": 5})
    with pytest.raises(ExportError, match="does not compute what trial 7 computes"):
        EXPORTER.write(lora[0], tmp_path)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "matthews", "spearman", "pearson"])
def test_scores_are_those_of_the_task(metric: str) -> None:
    from autopeft import catalog

    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (50,), generator=draw).numpy()
    predictions = torch.where(
        torch.rand(50, generator=draw) < 0.5,
        torch.from_numpy(labels),
        torch.randint(0, 3, (50,), generator=draw),
    ).numpy()
    task = "text_regression" if metric in ("spearman", "pearson") else "text_classification"
    expected = catalog.tasks.load(task).metrics[metric].value(predictions, labels)
    imports, expression = SCORES[metric]
    names = {"predictions": predictions, "labels": labels}
    exec(imports, names)
    assert eval(expression, names) == pytest.approx(expected, abs=1e-6)


def test_literals_break_where_they_do_not_fit() -> None:
    assert literal("x = ", ["a", 'b"']) == 'x = ["a", "b\\""]'
    long = literal("x = ", ["a" * 60, "b" * 60])
    assert long == f'x = [\n    "{"a" * 60}",\n    "{"b" * 60}",\n]'
    assert literal("p=", {r"^a\.b": 2}, "    ") == '    p={r"^a\\.b": 2}'
