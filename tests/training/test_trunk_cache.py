"""Outputs of the trunk are kept exactly, within their limit, and change no trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from autopeft import catalog
from autopeft.training import trunk_cache
from autopeft.training.batches import Split
from autopeft.training.loop import Protocol, Trained, train
from autopeft.training.pack import Job, Pack
from autopeft.training.trunk_cache import Rows, TrunkCache
from autopeft.types import Backbone
from tests import tiny_models
from tests.training.test_pack import build, head_of, job

WIDTH = 3
BIG = 10**6


def states(rows: int, length: int, start: float = 0.0) -> torch.Tensor:
    count = rows * length * WIDTH
    return start + torch.arange(count, dtype=torch.float64).view(rows, length, WIDTH)


def test_rows_come_back_without_their_padding() -> None:
    cache = TrunkCache(BIG, 1)
    rows = Rows("train", [4, 7], [2, 1])
    hidden = states(2, 2)
    assert cache.get(rows, 1, width=2) is None
    cache.put(rows, 1, hidden)
    turned = cache.get(Rows("train", [7, 4], [1, 2]), 1, width=4)
    assert turned is not None
    assert turned[1, :2].equal(hidden[0])
    assert turned[0, :1].equal(hidden[1, :1])
    assert turned[0, 1:].eq(0).all()
    assert (cache.hits, cache.misses) == (2, 2)


def test_split_and_depth_tell_rows_apart() -> None:
    cache = TrunkCache(BIG, 2)
    cache.put(Rows("train", [0], [2]), 1, states(1, 2))
    assert cache.get(Rows("validation", [0], [2]), 1, width=2) is None
    assert cache.get(Rows("train", [0], [2]), 2, width=2) is None


def test_a_row_stays_as_it_was_first_computed() -> None:
    cache = TrunkCache(BIG, 1)
    first, second = states(1, 2), states(2, 2, start=100)
    cache.put(Rows("train", [0], [2]), 1, first)
    merged = cache.put(Rows("train", [1, 0], [2, 2]), 1, second)
    assert merged[0].equal(second[0])
    assert merged[1].equal(first[0])


def test_the_limit_holds_and_what_has_no_room_is_not_kept() -> None:
    one_row = 2 * WIDTH * 8
    cache = TrunkCache(2 * one_row, 1)
    cache.put(Rows("train", [0, 1, 2], [2, 2, 2]), 1, states(3, 2))
    assert cache.used == 2 * one_row
    assert cache.get(Rows("train", [0, 1], [2, 2]), 1, width=2) is not None
    assert cache.get(Rows("train", [2], [2]), 1, width=2) is None


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache = TrunkCache(0, 6)
    cache.put(Rows("train", [0], [2]), 1, states(1, 2))
    assert cache.used == 0
    assert cache.get(Rows("train", [0], [2]), 1, width=2) is None


def test_what_the_blocks_hold_is_said_by_device() -> None:
    cache = TrunkCache(1000, 2)
    cpu = torch.device("cpu")
    assert cache.held(cpu) == 0
    cache.put(Rows("train", [0], [2]), 1, states(1, 2))
    assert 0 < cache.held(cpu) <= 500
    assert cache.held(torch.device("cuda")) == 0


def test_a_block_in_a_file_holds_the_same_and_leaves_nothing(tmp_path: Path) -> None:
    cache = TrunkCache(10_000, 1, tmp_path)
    rows = Rows("train", [0], [2])
    cache.put(rows, 1, states(1, 2))
    assert list(tmp_path.iterdir()) == []
    found = cache.get(rows, 1, width=2)
    assert found is not None
    assert found.equal(states(1, 2))


def test_a_full_disk_means_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trunk_cache.os, "posix_fallocate", full)
    cache = TrunkCache(10_000, 1, tmp_path)
    rows = Rows("train", [0], [2])
    cache.put(rows, 1, states(1, 2))
    assert cache.get(rows, 1, width=2) is not None
    assert list(tmp_path.iterdir()) == []


class _Padder:
    padding_side = "right"

    def pad(self, rows: list[dict[str, list[int]]], **_: Any) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        padded = {
            name: torch.tensor([row[name] + [0] * (longest - len(row[name])) for row in rows])
            for name in rows[0]
        }
        return padded


def split(name: str, rows: int) -> Split:
    generator = torch.Generator().manual_seed(rows)
    tokens = []
    for index in range(rows):
        ids = torch.randint(1, tiny_models.VOCABULARY, (3 + index % 5,), generator=generator)
        tokens.append({"input_ids": ids.tolist(), "attention_mask": [1] * len(ids)})
    labels = torch.randint(0, tiny_models.CLASSES, (rows,), generator=generator)
    return Split(tuple(tokens), labels, _Padder(), torch.device("cpu"), name)


def trained(
    model: Any, backbone: Backbone, jobs: list[Job], cache: TrunkCache | None
) -> list[Trained]:
    pack = Pack(
        model, backbone, jobs, modules=catalog.modules.all(), head=head_of(model), cache=cache
    )
    return train(
        model,
        pack,
        task=catalog.tasks.load("text_classification"),
        protocol=Protocol(steps=12, batch=4, length=8, seed=0),
        splits=(split("train", 10), split("validation", 7)),
    )


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
def test_trajectories_are_those_without_a_cache(name: str) -> None:
    model, backbone = build(name)
    jobs = [job(backbone, {"lora": 2}, rate=1e-2, seed=k, lowest=2) for k in range(2)]
    plain = trained(model, backbone, jobs, None)
    cache = TrunkCache(BIG, 3)
    cold, warm = (trained(model, backbone, jobs, cache) for _ in range(2))
    assert cache.hits > cache.misses
    for one, other, again in zip(plain, cold, warm, strict=True):
        for tensor, value in one.paused.tensors.items():
            torch.testing.assert_close(other.paused.tensors[tensor], value, rtol=1e-6, atol=1e-9)
            assert again.paused.tensors[tensor].equal(other.paused.tensors[tensor])


def test_what_is_padded_left_is_never_cached() -> None:
    left = split("train", 3)
    left.tokenizer.padding_side = "left"
    assert left.source([0]) is None
    assert split("", 3).source([0]) is None
