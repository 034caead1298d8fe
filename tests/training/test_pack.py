"""The promise: a configuration trained in any pack follows the trajectory it follows alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autopeft import catalog
from autopeft.sites.discovery import discover
from autopeft.training.pack import Job, Pack, entry_layer
from autopeft.training.packed_adamw import PackedAdamW
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models

STEPS = 20
ROWS = 4


def build(name: str, dtype: torch.dtype = torch.float64, layers: int = 3) -> tuple[Any, Backbone]:
    model = tiny_models.frozen(name, dtype, layers)
    return model, discover(model, catalog.backbones.all(), name=name)


def head_of(model: Any) -> list[str]:
    return ["classifier"] if hasattr(model, "classifier") else ["score"]


def placements(backbone: Backbone, module: str, size: int, *, lowest: int = 0) -> list[Placement]:
    piece = catalog.modules.load(module)
    return [
        Placement(site.name, module, {**piece.defaults, piece.size: size})
        for site in backbone.sites
        if site.kind == piece.kind and site.layer >= lowest
    ]


def job(
    backbone: Backbone, sizes: dict[str, int], *, rate: float, seed: int, lowest: int = 0
) -> Job:
    placed = [p for m, s in sizes.items() for p in placements(backbone, m, s, lowest=lowest)]
    return Job(Configuration(tuple(placed), rate), seed)


def batches(dtype_seed: int = 7) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(dtype_seed)
    found = []
    for _ in range(STEPS):
        ids = torch.randint(1, tiny_models.VOCABULARY, (ROWS, 8), generator=generator)
        mask = torch.ones_like(ids)
        mask[1, 5:] = 0
        ids[1, 5:] = 0
        labels = torch.randint(0, tiny_models.CLASSES, (ROWS,), generator=generator)
        found.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
    return found


def run(
    model: Any, backbone: Backbone, jobs: list[Job], *, clip: float = 0.05
) -> tuple[torch.Tensor, Pack, PackedAdamW]:
    """Losses [steps, K] of training the jobs in one pack, the pack and its optimiser."""
    pack = Pack(model, backbone, jobs, modules=catalog.modules.all(), head=head_of(model))
    rates = torch.tensor([j.configuration.learning_rate for j in jobs], dtype=torch.float64)
    optimiser = PackedAdamW(list(pack.parameters()), rates, weight_decay=0.01, clip=clip)
    losses = []
    with pack.attached(model):
        for batch in batches():
            labels = batch["labels"]
            inputs = {k: v for k, v in batch.items() if k != "labels"}
            logits = pack.logits(model, inputs)
            loss = torch.stack([torch.nn.functional.cross_entropy(one, labels) for one in logits])
            loss.sum().backward()
            optimiser.step()
            losses.append(loss.detach())
    return torch.stack(losses), pack, optimiser


FAMILIES = {
    "lora": [{"lora": 1}, {"lora": 4}, {"lora": 2}],
    "serial_adapter": [{"serial_adapter": 1}, {"serial_adapter": 5}, {"serial_adapter": 2}],
    "parallel_adapter": [{"parallel_adapter": 3}, {"parallel_adapter": 1}, {"parallel_adapter": 4}],
    "prefix": [{"prefix": 1}, {"prefix": 4}, {"prefix": 2}],
    "mixed": [
        {"lora": 2, "prefix": 3},
        {"serial_adapter": 4},
        {},
        {"parallel_adapter": 2, "lora": 1, "serial_adapter": 1, "prefix": 1},
    ],
}


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_packed_trajectory_equals_the_one_alone(architecture: str, family: str) -> None:
    model, backbone = build(architecture)
    jobs = [
        job(backbone, sizes, rate=10 ** -(1.5 + k), seed=10 + k, lowest=k % 2)
        for k, sizes in enumerate(FAMILIES[family])
    ]
    together, pack, _ = run(model, backbone, jobs)
    for k, one in enumerate(jobs):
        alone, single, _ = run(model, backbone, [one])
        torch.testing.assert_close(together[:, k], alone[:, 0], rtol=1e-6, atol=0)
        mine, theirs = pack.export(k), single.export(0)
        assert mine.keys() == theirs.keys()
        for name, tensor in theirs.items():
            torch.testing.assert_close(mine[name], tensor, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_every_module_learns_and_every_parameter_gets_a_gradient(architecture: str) -> None:
    model, backbone = build(architecture)
    everything = {"lora": 2, "serial_adapter": 2, "parallel_adapter": 2, "prefix": 2}
    one = job(backbone, everything, rate=1e-2, seed=1)
    _, pack, _ = run(model, backbone, [one])
    fresh = Pack(model, backbone, [one], modules=catalog.modules.all(), head=head_of(model))
    before = dict(fresh.named_parameters())
    for name, parameter in pack.named_parameters():
        assert not torch.equal(parameter, before[name]), name


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
@pytest.mark.parametrize("module", ["lora", "parallel_adapter"])
def test_modules_with_a_zero_start_change_nothing_at_first(architecture: str, module: str) -> None:
    model, backbone = build(architecture)
    inputs = {k: v for k, v in batches()[0].items() if k != "labels"}
    outputs = []
    for sizes in ({}, {module: 3}):
        pack = Pack(
            model,
            backbone,
            [job(backbone, sizes, rate=1e-3, seed=3)],
            modules=catalog.modules.all(),
            head=head_of(model),
        )
        with pack.attached(model), torch.no_grad():
            outputs.append(pack.logits(model, inputs))
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_detaching_restores_the_model_exactly(architecture: str) -> None:
    model, backbone = build(architecture)
    inputs = {k: v for k, v in batches()[0].items() if k != "labels"}
    with torch.no_grad():
        before = model(**inputs).logits
    weights = {name: p.clone() for name, p in model.named_parameters()}
    everything = {"lora": 2, "serial_adapter": 2, "parallel_adapter": 2, "prefix": 2}
    run(model, backbone, [job(backbone, everything, rate=1e-2, seed=k) for k in range(2)])
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, before)
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all("forward" not in vars(m) for m in model.modules())


def test_detaching_happens_also_when_the_forward_fails() -> None:
    model, backbone = build("bert")
    pack = Pack(
        model,
        backbone,
        [job(backbone, {"lora": 1, "prefix": 1}, rate=1e-3, seed=0)],
        modules=catalog.modules.all(),
        head=head_of(model),
    )
    with pytest.raises(IndexError), pack.attached(model):
        pack.logits(model, {"input_ids": torch.tensor([[10_000]])})
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert model.config._attn_implementation == "sdpa"


def test_a_divergence_stays_in_its_slice() -> None:
    model, backbone = build("bert")
    good = [job(backbone, {"lora": 2}, rate=1e-2, seed=k) for k in range(2)]
    calm = job(backbone, {"lora": 2}, rate=1e-3, seed=5)
    wild = job(backbone, {"lora": 2}, rate=1e300, seed=5)
    quiet, quiet_pack, quiet_optimiser = run(model, backbone, [good[0], calm, good[1]])
    loud, loud_pack, loud_optimiser = run(model, backbone, [good[0], wild, good[1]])
    assert quiet_optimiser.alive.tolist() == [True, True, True]
    assert loud_optimiser.alive.tolist() == [True, False, True]
    for k in (0, 2):
        assert torch.equal(loud[:, k], quiet[:, k])
        mine, theirs = loud_pack.export(k), quiet_pack.export(k)
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_the_trunk_runs_on_the_rows_of_the_batch() -> None:
    model, backbone = build("llama")
    jobs = [job(backbone, {"lora": 2}, rate=1e-3, seed=k, lowest=2) for k in range(3)]
    rows: list[int] = []
    for path in backbone.layers:
        model.get_submodule(path).register_forward_pre_hook(
            lambda m, args, kwargs: rows.append((args or tuple(kwargs.values()))[0].shape[0]),
            with_kwargs=True,
        )
    pack = Pack(model, backbone, jobs, modules=catalog.modules.all(), head=head_of(model))
    inputs = {k: v for k, v in batches()[0].items() if k != "labels"}
    with pack.attached(model):
        pack.logits(model, inputs)
    assert rows[1:] == [ROWS, 3 * ROWS]


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_a_one_layer_model_packs(architecture: str) -> None:
    model, backbone = build(architecture, layers=1)
    jobs = [job(backbone, {"serial_adapter": 2}, rate=1e-2, seed=k) for k in range(2)]
    together, _, _ = run(model, backbone, jobs)
    alone, _, _ = run(model, backbone, jobs[1:])
    torch.testing.assert_close(together[:, 1], alone[:, 0], rtol=1e-6, atol=0)


def test_entry_layer() -> None:
    _, backbone = build("bert")
    assert entry_layer(job(backbone, {}, rate=1, seed=0).configuration, backbone) == 3
    lora = job(backbone, {"lora": 1}, rate=1, seed=0, lowest=1)
    assert entry_layer(lora.configuration, backbone) == 1
    serial = job(backbone, {"serial_adapter": 1}, rate=1, seed=0, lowest=1)
    assert entry_layer(serial.configuration, backbone) == 2


def test_padding_stays_zero() -> None:
    model, backbone = build("bert")
    jobs = [
        job(backbone, {"lora": r, "prefix": r, "parallel_adapter": r}, rate=1e-2, seed=r)
        for r in (1, 4)
    ]
    _, pack, _ = run(model, backbone, jobs)
    for layer in pack.layers.values():
        for name, dimensions in layer.padded.items():
            for dimension in dimensions:
                padding = getattr(layer, name)[0].narrow(dimension, 1, 3)
                assert torch.equal(padding, torch.zeros_like(padding)), name


def test_an_exported_slice_restores_into_another_place() -> None:
    model, backbone = build("bert")
    jobs = [job(backbone, {"lora": r, "prefix": r}, rate=1e-2, seed=r) for r in (1, 4)]
    _, pack, _ = run(model, backbone, jobs)
    inputs = {k: v for k, v in batches()[0].items() if k != "labels"}
    with pack.attached(model), torch.no_grad():
        expected = pack.logits(model, inputs)[1]
    fresh = Pack(model, backbone, [jobs[1]], modules=catalog.modules.all(), head=head_of(model))
    fresh.restore(0, pack.export(1))
    with fresh.attached(model), torch.no_grad():
        torch.testing.assert_close(fresh.logits(model, inputs)[0], expected, rtol=1e-9, atol=1e-12)
