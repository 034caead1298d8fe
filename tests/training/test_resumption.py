"""A job that goes on in other packs ends as one that was never taken out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from autopeft import catalog
from autopeft.training.loop import Protocol, Trained, train
from autopeft.training.pack import Job, Pack
from autopeft.training.packed_adamw import MOMENTS, PackedAdamW
from autopeft.training.resumption import pause, resume
from autopeft.types import Backbone
from tests.training.test_pack import FAMILIES, build, head_of, job, run
from tests.training.test_trunk_cache import split

PROTOCOL = Protocol(steps=20, batch=4, length=8, seed=0, rungs=(0.5, 1.0))


def packed(
    model: Any,
    backbone: Backbone,
    jobs: Sequence[Job],
    *,
    until: int = 0,
    since: Sequence[Trained] = (),
) -> list[Trained]:
    pack = Pack(model, backbone, jobs, modules=catalog.modules.all(), head=head_of(model))
    return train(
        model,
        pack,
        task=catalog.tasks.load("text_classification"),
        protocol=PROTOCOL,
        splits=(split("train", 30), split("validation", 7)),
        until=until,
        since=since,
    )


def jobs_of(backbone: Backbone, family: str) -> list[Job]:
    return [
        job(backbone, sizes, rate=10 ** -(1.5 + k), seed=10 + k, lowest=k % 2)
        for k, sizes in enumerate(FAMILIES[family])
    ]


@pytest.mark.parametrize(
    ("architecture", "family"),
    [*(("bert", family) for family in FAMILIES), ("gpt2", "mixed"), ("llama", "mixed")],
)
def test_survivors_packed_anew_end_as_if_never_paused(architecture: str, family: str) -> None:
    model, backbone = build(architecture)
    jobs = jobs_of(backbone, family)
    straight = [packed(model, backbone, [one])[0] for one in jobs]
    together = packed(model, backbone, jobs, until=10)
    survivors = [len(jobs) - 1, 0]
    ended = packed(
        model, backbone, [jobs[k] for k in survivors], since=[together[k] for k in survivors]
    )
    for k, found in zip(survivors, ended, strict=True):
        expected = straight[k]
        assert [r.step for r in found.rungs] == [r.step for r in expected.rungs] == [10, 20]
        for one, other in zip(found.rungs, expected.rungs, strict=True):
            assert math.isclose(one.train_loss, other.train_loss, rel_tol=1e-6)
            assert one.predictions.equal(other.predictions)
        assert found.paused.tensors.keys() == expected.paused.tensors.keys()
        for name, tensor in expected.paused.tensors.items():
            torch.testing.assert_close(found.paused.tensors[name], tensor, rtol=1e-6, atol=1e-9)


METHODS = ("adalora", "dsl", "dylora", "increlora", "ist", "triadapt")


def test_training_time_methods_go_on_where_they_were() -> None:
    """In other packs, and in the midst of their schedules."""
    model, backbone = build("bert", layers=1)
    jobs = [
        job(backbone, {name: 4 + k, "lora": 1}, rate=10 ** -(1.5 + k), seed=10 + k)
        for k, name in enumerate(METHODS)
    ]
    straight = packed(model, backbone, jobs)
    first, *rest = (packed(model, backbone, part, until=10) for part in (jobs[:1], jobs[1:]))
    halves = [*first, *rest[0]]
    kept = [bool(half.paused.memory) for half in halves]
    assert kept == [name != "dylora" for name in METHODS], "whose draws follow from the step"
    ended = packed(model, backbone, jobs[::-1], since=halves[::-1])[::-1]
    for found, expected in zip(ended, straight, strict=True):
        assert found.rungs[-1].predictions.equal(expected.rungs[-1].predictions)
        assert found.paused.memory == {}
        for key, tensor in expected.paused.tensors.items():
            torch.testing.assert_close(found.paused.tensors[key], tensor, rtol=1e-6, atol=1e-9)


def test_a_job_that_diverged_has_no_future() -> None:
    model, backbone = build("bert")
    jobs = [
        job(backbone, {"lora": 2}, rate=1e-2, seed=0),
        job(backbone, {"lora": 2}, rate=math.inf, seed=1),
    ]
    good, bad = packed(model, backbone, jobs, until=10)
    assert good.finite
    assert not bad.finite
    alone = packed(model, backbone, jobs[:1], until=10)[0]
    for name, tensor in alone.paused.tensors.items():
        torch.testing.assert_close(good.paused.tensors[name], tensor, rtol=1e-6, atol=1e-9)


def test_a_finished_job_carries_no_moments() -> None:
    model, backbone = build("bert")
    one = [job(backbone, {"lora": 2}, rate=1e-2, seed=0)]
    assert packed(model, backbone, one)[0].paused.moments == {}
    assert set(packed(model, backbone, one, until=10)[0].paused.moments) == set(MOMENTS)


def test_what_is_resumed_is_what_was_paused() -> None:
    model, backbone = build("gpt2")
    jobs = jobs_of(backbone, "mixed")
    _, pack, optimiser = run(model, backbone, jobs)
    paused = pause(pack, optimiser, 20)
    again = Pack(model, backbone, jobs, modules=catalog.modules.all(), head=head_of(model))
    fresh = PackedAdamW(list(again.parameters()), torch.zeros(len(jobs), dtype=torch.float64))
    resume(again, fresh, paused)
    for mine, theirs in zip(pause(again, fresh, 20), paused, strict=True):
        assert all(mine.tensors[n].equal(t) for n, t in theirs.tensors.items())
        for moment in MOMENTS:
            assert all(mine.moments[moment][n].equal(t) for n, t in theirs.moments[moment].items())
            assert any(t.abs().sum() > 0 for t in theirs.moments[moment].values())
