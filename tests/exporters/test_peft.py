"""An exported adapter loads without AutoPEFT and computes what the search computed."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, BertForMaskedLM

import autopeft
from autopeft.errors import ExportError
from autopeft.export.bundle import Bundle
from autopeft.exporters import _check
from autopeft.exporters.peft import EXPORTER
from autopeft.training.pack import Job, Pack
from autopeft.types import Placement
from autopeft.workbench import Workbench
from tests import tiny_bundle, tiny_models

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

Bench = Callable[..., Workbench]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made: dict[str, Workbench] = {}

    def get(architecture: str, **options: Any) -> Workbench:
        name = architecture + repr(options)
        if name not in made:
            made[name] = tiny_bundle.bench(tmp_path_factory.mktemp("m"), architecture, **options)
        return made[name]

    return get


def logits(bundle: Bundle, model: Any = None) -> torch.Tensor:
    """Of the whole validation split: by that model, or by the trial's own pack."""
    bench = bundle.workbench
    split = bench.evaluator.splits[1]
    batch = split.batch(list(range(len(split))))
    with torch.no_grad():
        if model is not None:
            return model(**batch).logits
        base, head = bench.checkpoint.model, bench.checkpoint.head
        job = Job(bundle.trial.configuration, 99)
        pack = Pack(base, bench.backbone, [job], modules=bench.modules, head=head)
        pack.restore(0, bundle.trained)
        with pack.attached(base):
            return pack.logits(base, batch)[0]


def base(bench: Workbench) -> Any:
    outputs = bench.task.outputs(bench.data)
    return AutoModelForSequenceClassification.from_pretrained(
        bench.checkpoint.source, num_labels=outputs, pad_token_id=0
    )


def exported(bundle: Bundle, folder: Path) -> dict[str, Any]:
    """The configuration that peft reads; the adapter is loaded by peft alone and compared."""
    EXPORTER.write(bundle, folder)
    model = PeftModel.from_pretrained(base(bundle.workbench), str(folder)).eval()
    torch.testing.assert_close(logits(bundle, model), logits(bundle), rtol=1e-4, atol=1e-5)
    found: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text())
    return found


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_a_different_rank_at_every_site(bench: Bench, architecture: str, tmp_path: Path) -> None:
    made = bench(architecture)
    placements = tiny_bundle.placed(made, "lora", [1, 2, 3, 4, 5])
    for index, placement in enumerate(placements):
        placements[index] = dataclasses.replace(
            placement, settings={**placement.settings, "scaling": [0.5, 2.0][index % 2]}
        )
    config = exported(tiny_bundle.bundle(made, placements), tmp_path / "out")
    sites = {made.backbone.site(p.site).path: p.settings for p in placements}
    assert sorted(config["target_modules"]) == sorted(sites)
    for path, settings in sites.items():
        rank = pattern(config["rank_pattern"], path, config["r"])
        assert rank == settings["rank"]
        assert pattern(config["alpha_pattern"], path, config["lora_alpha"]) == (
            rank * settings["scaling"]
        )
    assert config["fan_in_fan_out"] == (architecture == "gpt2")


def pattern(patterns: dict[str, float], path: str, default: float) -> float:
    """The one value that a pattern gives a module, as peft matches it."""
    found = [value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", path)]
    assert len(found) <= 1
    return found[0] if found else default


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_each_role_alone_in_one_layer(bench: Bench, architecture: str, tmp_path: Path) -> None:
    made = bench(architecture)
    for placement in tiny_bundle.placed(made, "lora", [2], layers=[1]):
        out = tmp_path / placement.site
        config = exported(tiny_bundle.bundle(made, [placement]), out)
        assert config["target_modules"] == [made.backbone.site(placement.site).path]
        assert (config["r"], config["lora_alpha"], config["rank_pattern"]) == (2, 4, {})


@pytest.mark.parametrize("method", ["adalora", "dsl", "increlora", "triadapt"])
def test_a_training_time_method_becomes_a_plain_lora(
    bench: Bench, method: str, tmp_path: Path
) -> None:
    made = bench("bert")
    placements = tiny_bundle.placed(made, method, [4, 6])
    config = exported(tiny_bundle.bundle(made, placements), tmp_path / "out")
    ranks = [pattern(config["rank_pattern"], p, config["r"]) for p in config["target_modules"]]
    alphas = [
        pattern(config["alpha_pattern"], path, config["lora_alpha"])
        for path in config["target_modules"]
    ]
    assert sum(ranks) == 5 * len(placements) // 2
    if method in ("increlora", "triadapt"):
        assert set(alphas) == {16}
    else:
        assert alphas == [2 * rank for rank in ranks]


def test_a_method_beside_other_modules_is_loaded_by_autopeft(bench: Bench, tmp_path: Path) -> None:
    made = bench("bert")
    both = [*tiny_bundle.placed(made, "adalora", [3]), *tiny_bundle.placed(made, "lora", [1])]
    bundle = tiny_bundle.bundle(made, [*both, *tiny_bundle.placed(made, "prefix", [2])])
    EXPORTER.write(bundle, tmp_path)
    model = autopeft.load(tmp_path)
    torch.testing.assert_close(logits(bundle, model), logits(bundle), rtol=1e-4, atol=1e-5)
    written = json.loads((tmp_path / "autopeft.json").read_text())["configuration"]["placements"]
    assert {placement["module"] for placement in written} == {"lora", "prefix"}


def test_a_rank_of_zero_is_left_out(bench: Bench, tmp_path: Path) -> None:
    made = bench("bert")
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [0, 0, 0, 1, 0, 0]))
    config = exported(bundle, tmp_path / "out")
    assert sorted(config["target_modules"]) == [
        f"bert.encoder.layer.{i}.attention.output.dense" for i in range(3)
    ]


def test_pairs_of_texts(bench: Bench, tmp_path: Path) -> None:
    made = bench("bert", pairs=True)
    exported(tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2])), tmp_path / "out")


def test_a_regression_head(bench: Bench, tmp_path: Path) -> None:
    made = bench("llama", numbers=True)
    exported(tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2])), tmp_path / "out")
    assert "a number" in (tmp_path / "out" / "README.md").read_text()


def test_a_head_of_several_modules_some_inside_the_backbone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def without_pooler(layers: int) -> Any:
        return BertForMaskedLM(tiny_models.bert(layers).config)

    monkeypatch.setitem(tiny_models.ARCHITECTURES, "bert", without_pooler)
    made = tiny_bundle.bench(tmp_path, "bert")
    assert made.checkpoint.head == ("bert.pooler.dense", "classifier")
    config = exported(
        tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2])), tmp_path / "lora"
    )
    assert config["modules_to_save"] == ["bert.pooler.dense", "classifier"]
    bundle = tiny_bundle.bundle(made, mixture(made))
    EXPORTER.write(bundle, tmp_path / "mixture")
    model = autopeft.load(tmp_path / "mixture")
    torch.testing.assert_close(logits(bundle, model), logits(bundle), rtol=1e-4, atol=1e-5)


def test_a_base_searched_in_bfloat16(bench: Bench, tmp_path: Path) -> None:
    made = bench("bert", dtype="bfloat16")
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2]))
    EXPORTER.write(bundle, tmp_path)
    assert (tmp_path / "adapter_model.safetensors").is_file()


def mixture(made: Workbench) -> list[Placement]:
    return [
        *tiny_bundle.placed(made, "lora", [1, 0, 2], layers=[0, 1]),
        *tiny_bundle.placed(made, "prefix", [3, 0], layers=[0, 1]),
        *tiny_bundle.placed(made, "skip", [2], layers=[2]),
        *tiny_bundle.placed(made, "serial_adapter", [2], layers=[2]),
        *tiny_bundle.placed(made, "parallel_adapter", [2], layers=[0]),
        *tiny_bundle.placed(made, "sparse", [3, 0], layers=[1]),
        *tiny_bundle.placed(made, "cut_neurons", [20], layers=[1]),
    ]


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_a_mixture_is_in_our_own_form(bench: Bench, architecture: str, tmp_path: Path) -> None:
    made = bench(architecture)
    bundle = tiny_bundle.bundle(made, mixture(made))
    files = EXPORTER.write(bundle, tmp_path)
    assert [f.name for f in files] == ["autopeft.json", "autopeft.safetensors", "README.md"]
    model = autopeft.load(tmp_path)
    torch.testing.assert_close(logits(bundle, model), logits(bundle), rtol=1e-4, atol=1e-5)
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize("sizes", [None, [0]])
def test_a_head_alone_is_in_our_own_form(
    bench: Bench, sizes: list[int] | None, tmp_path: Path
) -> None:
    made = bench("gpt2")
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", sizes) if sizes else [])
    EXPORTER.write(bundle, tmp_path)
    model = autopeft.load(tmp_path, base(made))
    torch.testing.assert_close(logits(bundle, model), logits(bundle), rtol=1e-4, atol=1e-5)


def test_the_readme_loads_the_adapter(bench: Bench, tmp_path: Path) -> None:
    made = bench("bert")
    for name, placements in (("a", tiny_bundle.placed(made, "lora", [2])), ("b", mixture(made))):
        bundle = tiny_bundle.bundle(made, placements)
        EXPORTER.write(bundle, tmp_path / name)
        text = (tmp_path / name / "README.md").read_text()
        code = text.split("```python\n")[1].split("```")[0]
        names: dict[str, Any] = {}
        exec(code.replace("path/of/this/folder", str(tmp_path / name)), names)
        found = logits(bundle, names["model"])
        torch.testing.assert_close(found, logits(bundle), rtol=1e-4, atol=1e-5)
        assert ("autopeft.resize" in code) == (name == "b"), "where something is cut"


def test_no_configuration_is_refused(bench: Bench) -> None:
    made = bench("bert")
    bundle = tiny_bundle.bundle(made, [])
    assert EXPORTER.refuses(bundle.trial.configuration, made.modules) == ""


def test_an_adapter_that_computes_something_else_is_an_error(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench("bert")
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2]))
    true = _check.expected
    monkeypatch.setattr(_check, "expected", lambda *args: true(*args) + 1e-3)
    with pytest.raises(ExportError, match="does not compute what trial 7 computes"):
        EXPORTER.write(bundle, tmp_path)


def test_a_checkpoint_that_has_changed_is_an_error(tmp_path: Path) -> None:
    made = tiny_bundle.bench(tmp_path, "bert")
    bundle = tiny_bundle.bundle(made, tiny_bundle.placed(made, "lora", [2]))
    tiny_bundle.checkpoint(tmp_path / "base", "bert", seed=1)
    with pytest.raises(ExportError, match="no longer those that were searched"):
        EXPORTER.write(bundle, tmp_path / "out")
