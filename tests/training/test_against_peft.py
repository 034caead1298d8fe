"""A pack of LoRA against an oracle from outside: HF peft and torch.optim.AdamW, one at a time."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import peft
import pytest
import torch

from autopeft import catalog
from autopeft.sites.discovery import discover
from autopeft.training.pack import Job, Pack
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models

STEPS = 8
ROWS = 4
DECAY = 0.05


def batches() -> list[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    found = []
    for _ in range(STEPS):
        ids = torch.randint(1, tiny_models.VOCABULARY, (ROWS, 8), generator=generator)
        labels = torch.randint(0, tiny_models.CLASSES, (ROWS,), generator=generator)
        found.append(({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, labels))
    return found


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, labels)


def configuration(backbone: Backbone, shift: int, rate: float) -> Configuration:
    """A different rank at every linear, some left out."""
    linears = [site for site in backbone.sites if site.kind == "linear"]
    ranks = [(index + shift) % 5 for index in range(len(linears))]
    placed = tuple(
        Placement(site.name, "lora", {"rank": rank, "scaling": 1.5})
        for site, rank in zip(linears, ranks, strict=True)
        if rank
    )
    return Configuration(placed, rate)


def peft_model(
    model: Any, backbone: Backbone, job: Job, initial: dict[str, torch.Tensor], head: str
) -> Any:
    paths = {p.site: backbone.site(p.site).path for p in job.configuration.placements}
    ranks = {
        "^" + paths[p.site].replace(".", r"\."): int(p.settings["rank"])
        for p in job.configuration.placements
    }
    config = peft.LoraConfig(
        r=8,
        target_modules=list(paths.values()),
        rank_pattern=ranks,
        alpha_pattern={key: 1.5 * rank for key, rank in ranks.items()},
        modules_to_save=[head],
    )
    wrapped: Any = peft.get_peft_model(deepcopy(model), config, autocast_adapter_dtype=False)
    wrapped = wrapped.to(torch.float64).eval()
    with torch.no_grad():
        for site, path in paths.items():
            layer = wrapped.base_model.model.get_submodule(path)
            layer.lora_A["default"].weight.copy_(initial[f"{site}:lora:A"])
        saved = wrapped.base_model.model.get_submodule(head).modules_to_save["default"]
        for name, parameter in saved.named_parameters():
            parameter.copy_(initial[f"head:{head}.{name}"])
    return wrapped


def alone(wrapped: Any, rate: float) -> torch.Tensor:
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=DECAY)
    losses = []
    for inputs, labels in batches():
        optimiser.zero_grad()
        loss = loss_of(wrapped(**inputs).logits, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 0.1)
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses)


@pytest.mark.filterwarnings("ignore:.*fan_in_fan_out.*", "ignore:.*is_gradient_checkpointing.*")
@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_a_pack_follows_peft_and_torch(architecture: str) -> None:
    model = tiny_models.frozen(architecture)
    head = "classifier" if hasattr(model, "classifier") else "score"
    backbone = discover(model, catalog.backbones.all(), name=architecture)
    jobs = [Job(configuration(backbone, k, 10 ** -(1.5 + k)), seed=k) for k in range(3)]
    pack = Pack(model, backbone, jobs, modules=catalog.modules.all(), head=[head])
    references = [
        alone(
            peft_model(model, backbone, job, pack.export(k), head), job.configuration.learning_rate
        )
        for k, job in enumerate(jobs)
    ]
    rates = torch.tensor([j.configuration.learning_rate for j in jobs], dtype=torch.float64)
    optimiser = PackedAdamW(list(pack.parameters()), rates, weight_decay=DECAY, clip=0.1)
    losses = []
    with pack.attached(model):
        for inputs, labels in batches():
            logits = pack.logits(model, inputs)
            loss = torch.stack([loss_of(one, labels) for one in logits])
            loss.sum().backward()
            optimiser.step()
            losses.append(loss.detach())
    packed = torch.stack(losses)
    for k, reference in enumerate(references):
        torch.testing.assert_close(packed[:, k], reference, rtol=1e-6, atol=1e-9)
