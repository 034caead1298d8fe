"""The promise on real weights in float32: packed equals alone within reduction-order noise."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autopeft import catalog, checkpoint
from autopeft.errors import MissingError
from autopeft.sites.discovery import discover
from autopeft.training.pack import Job, Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Backbone, Configuration, Placement

STEPS = 5


@pytest.fixture(scope="module")
def loaded() -> Any:
    try:
        return checkpoint.load("", architecture="AutoModelForSequenceClassification", outputs=4)
    except MissingError as error:
        pytest.skip(f"the quickstart extra is not installed: {error.message}")


def jobs_of(backbone: Backbone) -> list[Job]:
    modules = catalog.modules.all()
    mixes = [
        {"lora": 8},
        {"serial_adapter": 16, "prefix": 4},
        {"parallel_adapter": 8},
        {"lora": 2, "serial_adapter": 1, "parallel_adapter": 3, "prefix": 2},
    ]
    jobs = []
    for seed, mix in enumerate(mixes):
        placed = [
            Placement(site.name, name, {**modules[name].defaults, modules[name].size: size})
            for name, size in mix.items()
            for site in backbone.sites
            if site.kind == modules[name].kind and site.layer >= seed
        ]
        jobs.append(Job(Configuration(tuple(placed), 1e-3), seed))
    return jobs


def losses(loaded: Any, backbone: Backbone, jobs: list[Job]) -> torch.Tensor:
    pack = Pack(loaded.model, backbone, jobs, modules=catalog.modules.all(), head=loaded.head)
    rates = torch.tensor([j.configuration.learning_rate for j in jobs])
    optimiser = PackedAdamW(list(pack.parameters()), rates)
    generator = torch.Generator().manual_seed(0)
    found = []
    with pack.attached(loaded.model):
        for _ in range(STEPS):
            ids = torch.randint(1000, 20_000, (4, 12), generator=generator)
            labels = torch.randint(0, 4, (4,), generator=generator)
            batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            logits = pack.logits(loaded.model, batch)
            loss = torch.stack([torch.nn.functional.cross_entropy(x, labels) for x in logits])
            loss.sum().backward()
            optimiser.step()
            found.append(loss.detach())
    return torch.stack(found)


def test_packed_equals_alone_on_minilm(loaded: Any) -> None:
    backbone = discover(loaded.model, catalog.backbones.all(), name=loaded.name)
    assert backbone.parameters == 22_713_216
    jobs = jobs_of(backbone)
    together = losses(loaded, backbone, jobs)
    for k, job in enumerate(jobs):
        alone = losses(loaded, backbone, [job])
        torch.testing.assert_close(together[:, k], alone[:, 0], rtol=1e-4, atol=1e-5)
