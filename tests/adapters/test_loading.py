"""Adapters on models for good: attach, save, load, and what does not fit."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import autopeft
from autopeft.adapters import loading
from autopeft.errors import MissingError, UsageError
from autopeft.types import Configuration, Placement
from tests import tiny_bundle, tiny_models

BATCH = {"input_ids": torch.tensor([[2, 5, 9, 3], [2, 7, 3, 0]])}
BATCH["attention_mask"] = (BATCH["input_ids"] > 0).long()
MIXTURE = Configuration(
    (
        Placement("0.attention", "prefix", {"length": 2}),
        Placement("1.mlp.down", "lora", {"rank": 2, "scaling": 2.0}),
        Placement("2.layer", "serial_adapter", {"bottleneck": 2, "scaling": 1.0}),
    ),
    1e-3,
)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(**{k: v.to(model.device) for k, v in BATCH.items()}).logits
    return found


def bert() -> Any:
    return tiny_models.frozen("bert", torch.float32)


def attached(model: Any = None, *, seed: int = 4) -> Any:
    """A model whose adapter is no longer at its start."""
    model = autopeft.attach(model or bert(), MIXTURE, head=["classifier"], seed=seed)
    torch.manual_seed(1)
    for parameter in model.autopeft.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with the adapter of `attached`."""
    autopeft.save(attached(), tmp_path, about={"trial": 3})
    return tmp_path


def test_importing_autopeft_imports_no_torch() -> None:
    code = "import autopeft, sys; assert 'torch' not in sys.modules; autopeft.load"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute `lod`"):
        autopeft.lod  # noqa: B018


def test_a_loaded_model_computes_what_was_saved(saved: Path) -> None:
    expected = logits(attached())
    assert torch.equal(logits(autopeft.load(saved, bert())), expected)
    assert torch.equal(logits(autopeft.load(str(saved), bert())), expected)
    assert not torch.allclose(logits(bert()), expected)


def test_only_the_adapter_is_trained_and_all_of_it(saved: Path) -> None:
    model = autopeft.load(saved, bert())
    assert not model.training
    model(**BATCH).logits.square().sum().backward()
    added = {id(p) for p in model.autopeft.parameters()}
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (id(parameter) in added), name
        assert (parameter.grad is not None) == (id(parameter) in added), name


def test_a_loaded_model_can_be_saved_again(saved: Path, tmp_path: Path) -> None:
    autopeft.save(autopeft.load(saved, bert()), tmp_path / "again", about={"trial": 3})
    for name in ("autopeft.json", "autopeft.safetensors"):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_base_is_found_where_it_came_from(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    source = tiny_bundle.checkpoint(tmp_path / "base", "bert")
    base = AutoModelForSequenceClassification.from_pretrained(
        source, id2label={0: "x", 1: "y", 2: "z"}
    )
    autopeft.save(attached(base), tmp_path / "out")
    model = autopeft.load(tmp_path / "out")
    torch.testing.assert_close(logits(model), logits(base.eval()))
    assert model.config.id2label == {0: "x", 1: "y", 2: "z"}
    assert model.config.label2id == {"x": 0, "y": 1, "z": 2}
    assert autopeft.load(tmp_path / "out", dtype="bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_other_dtypes_of_the_same_base_load(saved: Path, kind: torch.dtype) -> None:
    model = autopeft.load(saved, bert().to(kind))
    torch.testing.assert_close(logits(model).float(), logits(attached()), rtol=0.1, atol=0.1)


def test_an_adapter_saved_from_a_narrow_base_loads_on_a_wide_one(tmp_path: Path) -> None:
    autopeft.save(attached(bert().bfloat16()), tmp_path)
    assert autopeft.load(tmp_path, bert().bfloat16()).dtype == torch.bfloat16
    assert autopeft.load(tmp_path, bert()).dtype == torch.float32


def test_the_adapter_moves_with_the_model(saved: Path) -> None:
    model = autopeft.load(saved, bert()).to(torch.float64)
    assert all(p.dtype == torch.float64 for p in model.parameters())
    torch.testing.assert_close(logits(model).float(), logits(attached()))


def test_a_configuration_is_also_plain_data_or_a_file(tmp_path: Path) -> None:
    expected = logits(autopeft.attach(bert(), MIXTURE, head=["classifier"], seed=2))
    plain = MIXTURE.to_json()
    (tmp_path / "configuration.json").write_text(json.dumps(plain))
    for given in (plain, tmp_path / "configuration.json"):
        model = autopeft.attach(bert(), given, head=["classifier"], seed=2)
        torch.testing.assert_close(logits(model), expected)


def test_another_base_is_refused(saved: Path) -> None:
    other = bert()
    with torch.no_grad():
        other.bert.encoder.layer[2].output.dense.weight[0, 0] += 0.5
    with pytest.raises(UsageError, match="other weights"):
        autopeft.load(saved, other)
    assert not hasattr(other, "autopeft")


def test_the_head_of_the_base_does_not_matter(saved: Path) -> None:
    other = bert()
    with torch.no_grad():
        other.classifier.weight.zero_()
    assert torch.equal(logits(autopeft.load(saved, other)), logits(attached()))


def test_another_width_of_the_head_is_refused(saved: Path) -> None:
    other = copy.deepcopy(bert())
    other.config.num_labels = 5
    with pytest.raises(UsageError, match="5 outputs and the adapter 3") as caught:
        autopeft.load(saved, other)
    assert "num_labels=3" in caught.value.hint


def test_another_architecture_is_refused(saved: Path) -> None:
    with pytest.raises(UsageError, match="other weights"):
        autopeft.load(saved, tiny_models.frozen("llama", torch.float32))


def test_a_second_adapter_is_refused(saved: Path) -> None:
    model = attached()
    with pytest.raises(UsageError, match="an adapter already"):
        autopeft.attach(model, MIXTURE, head=["classifier"])
    with pytest.raises(UsageError, match="an adapter already"):
        autopeft.load(saved, model)


@pytest.mark.parametrize("head", [["classifier"], ["score"]])
def test_places_that_are_not_there_are_refused(head: list[str]) -> None:
    placement = Placement("9.mlp.down", "lora", {"rank": 1, "scaling": 1.0})
    expected = "9.mlp.down" if head == ["classifier"] else "score"
    with pytest.raises(UsageError, match=f"has no `{expected}`"):
        autopeft.attach(bert(), Configuration((placement,), 1e-3), head=head)


def test_a_model_without_an_adapter_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no adapter of AutoPEFT"):
        autopeft.save(bert(), tmp_path)


def test_a_folder_without_an_adapter(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no `autopeft\.json`"):
        autopeft.load(tmp_path, bert())
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError) as caught:
        autopeft.load(tmp_path, bert())
    assert "PeftModel.from_pretrained" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "is not an adapter"),
        ("[]", "is not an adapter"),
        ('{"schema": "autopeft.adapter/1"}', "is not an adapter"),
        ('{"schema": "autopeft.adapter/9"}', "has the format `autopeft.adapter/9`"),
    ],
)
def test_a_description_that_cannot_be_read(saved: Path, text: str, message: str) -> None:
    (saved / "autopeft.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        autopeft.load(saved, bert())


def test_weights_that_cannot_be_read(saved: Path) -> None:
    (saved / "autopeft.safetensors").write_bytes(b"\x08")
    with pytest.raises(UsageError, match="cannot read"):
        autopeft.load(saved, bert())
    (saved / "autopeft.safetensors").unlink()
    with pytest.raises(UsageError, match="cannot read"):
        autopeft.load(saved, bert())


def test_the_place_of_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    places = [loading.place_of(source) for source in ("base", "owner/model", "")]
    assert places == [str(tmp_path / "base"), "owner/model", ""]


def test_a_base_that_is_gone(tmp_path: Path) -> None:
    description = json.loads((save_of(tmp_path) / "autopeft.json").read_text())
    description["base"]["source"] = str(tmp_path / "gone")
    (tmp_path / "autopeft.json").write_text(json.dumps(description))
    with pytest.raises(MissingError, match="gone"):
        autopeft.load(tmp_path)


def save_of(folder: Path) -> Path:
    autopeft.save(attached(), folder)
    return folder
