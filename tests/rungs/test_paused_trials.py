"""Paused trials survive the process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autopeft import weights
from autopeft.rungs.paused_trials import PausedTrials
from autopeft.training.loop import Rung, Trained
from autopeft.training.packed_adamw import MOMENTS
from autopeft.training.resumption import Paused


def run(seed: int, step: int = 30) -> Trained:
    tensors = {"head:weight": torch.full((2, 3), float(seed)), "0.mlp:lora:a": torch.ones(3, 1)}
    moments = {m: {k: t * (i + 2) for k, t in tensors.items()} for i, m in enumerate(MOMENTS)}
    rungs = (Rung(10, 0.9, torch.tensor([1, 0])), Rung(step, 0.5, torch.tensor([1, 1])))
    memory = {"0.mlp:lora:kept": torch.tensor([True, False]), "0.mlp:lora:born": torch.ones(2)}
    return Trained(rungs, True, Paused(step, tensors, moments, memory), 1.5, 4)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


def test_another_process_finds_what_was_kept(study: Path) -> None:
    notes: list[str] = []
    PausedTrials(study, notes.append).keep(3, [run(0), run(1)])
    found = PausedTrials(study, notes.append).runs(3, 30)
    assert len(found) == 2
    for mine, expected in zip(found, (run(0), run(1)), strict=True):
        assert (mine.seconds, mine.pack, mine.finite, mine.paused.step) == (1.5, 4, True, 30)
        assert [(r.step, r.train_loss) for r in mine.rungs] == [(10, 0.9), (30, 0.5)]
        assert all(
            m.predictions.equal(e.predictions)
            for m, e in zip(mine.rungs, expected.rungs, strict=True)
        )
        for name, tensor in expected.paused.tensors.items():
            assert mine.paused.tensors[name].equal(tensor)
            for moment in MOMENTS:
                assert mine.paused.moments[moment][name].equal(
                    expected.paused.moments[moment][name]
                )
        for name, tensor in expected.paused.memory.items():
            assert mine.paused.memory[name].equal(tensor)
            assert mine.paused.memory[name].dtype == tensor.dtype
    assert notes == []


def test_every_rung_is_kept_until_all_are_forgotten(study: Path) -> None:
    kept = PausedTrials(study, print)
    kept.keep(3, [run(0)])
    kept.keep(3, [run(0, 60)])
    weights.keep(study, [])
    assert kept.runs(3, 30)
    assert PausedTrials(study, print).runs(3, 60)
    kept.clear()
    assert kept.runs(3, 30) == ()
    assert PausedTrials(study, print).runs(3, 60) == ()


def test_a_damaged_file_is_as_none(study: Path) -> None:
    PausedTrials(study, print).keep(3, [run(0)])
    for file in weights.folder(study).iterdir():
        file.write_bytes(file.read_bytes()[:50])
    assert PausedTrials(study, print).runs(3, 30) == ()


def test_a_disk_that_refuses_costs_nothing_now(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    notes: list[str] = []
    monkeypatch.setattr(weights, "write", full)
    kept = PausedTrials(study, notes.append)
    kept.keep(3, [run(0)])
    assert kept.runs(3, 30)[0].seconds == 1.5
    assert notes == ["trial 3 is kept in memory only: No space left on device"]
