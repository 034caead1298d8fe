"""Exact parameter counts, and the options that carry units."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

from autopeft import budget, catalog
from autopeft.errors import UsageError
from autopeft.sites.discovery import discover
from autopeft.training.pack import Job, Pack
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models


def bert_base() -> Backbone:
    with torch.device("meta"):
        model = BertModel(BertConfig())
    return discover(model, catalog.backbones.all(), name="bert-base")


def everywhere(
    backbone: Backbone, module: str, size: int, roles: tuple[str, ...] = ()
) -> list[Placement]:
    piece = catalog.modules.load(module)
    return [
        Placement(site.name, module, {**piece.defaults, piece.size: size})
        for site in backbone.sites
        if site.kind == piece.kind and (not roles or site.role in roles)
    ]


def test_the_published_shares_of_bert_base() -> None:
    """AutoPEFT's baseline column (arXiv 2301.12132), counted as the paper does."""
    backbone = bert_base()
    assert backbone.parameters == 109_482_240
    parallel = everywhere(backbone, "parallel_adapter", 384)
    published = {
        0.81: everywhere(backbone, "serial_adapter", 48),
        6.46: parallel,
        6.97: [*parallel, *everywhere(backbone, "prefix", 30)],
        0.17: everywhere(backbone, "prefix", 10),
        0.27: everywhere(backbone, "lora", 8, ("attention.query", "attention.value")),
    }
    for percent, placements in published.items():
        configuration = Configuration(tuple(placements), 1e-3)
        count = budget.count(configuration, backbone, catalog.modules.all())
        # 6.4648 and 0.8081 are published rounded down and to the nearest: within half a unit.
        assert 100 * count.published / backbone.parameters == pytest.approx(percent, abs=0.006)
    serial = Configuration(tuple(published[0.81]), 1e-3)
    count = budget.count(serial, backbone, catalog.modules.all())
    assert count.published == 884_736
    assert count.parameters == 884_736 + 12 * (48 + 768)


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
@pytest.mark.parametrize("module", ["lora", "serial_adapter", "parallel_adapter", "prefix"])
@pytest.mark.parametrize("size", [1, 5])
def test_the_count_is_that_of_the_instantiated_module(
    architecture: str, module: str, size: int
) -> None:
    model = tiny_models.frozen(architecture)
    backbone = discover(model, catalog.backbones.all(), name=architecture)
    configuration = Configuration(tuple(everywhere(backbone, module, size)), 1e-3)
    modules = catalog.modules.all()
    pack = Pack(model, backbone, [Job(configuration, 0)], modules=modules, head=[])
    held = sum(p.numel() for p in pack.layers.parameters())
    assert budget.count(configuration, backbone, modules).parameters == held


def test_size_0_and_no_placement_count_nothing() -> None:
    backbone = bert_base()
    empty = Configuration((), 1e-3)
    assert budget.count(empty, backbone, catalog.modules.all()).parameters == 0
    for module in ("lora", "serial_adapter", "parallel_adapter", "prefix"):
        off = Configuration(tuple(everywhere(backbone, module, 0)), 1e-3)
        assert budget.count(off, backbone, catalog.modules.all()).parameters == 0


@pytest.mark.parametrize(
    ("text", "value"), [("0.5%", 0.5), ("0.5", 0.5), (" 100 % ", 100), (".1%", 0.1)]
)
def test_percent(text: str, value: float) -> None:
    assert budget.percent(text) == value


@pytest.mark.parametrize("text", ["0%", "0", "101%", "-1", "abc", "", "%", "1e-1%", "nan", "0.5%%"])
def test_a_wrong_budget_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="budget") as caught:
        budget.percent(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "value"), [("24GB", 24 * 10**9), ("512MiB", 512 * 2**20), ("1.5 gb", 15 * 10**8)]
)
def test_size(text: str, value: int) -> None:
    assert budget.size(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90s", 90), ("30min", 1800), ("2h", 7200)]
)
def test_seconds(text: str, value: float) -> None:
    assert budget.seconds(text) == value


@pytest.mark.parametrize("text", ["24 parsec", "-1GB", "0GB", "GB"])
def test_a_wrong_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="memory"):
        budget.size(text)


@pytest.mark.parametrize("text", ["soon", "-5s", "0", "2d"])
def test_a_wrong_duration_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="timeout"):
        budget.seconds(text)
