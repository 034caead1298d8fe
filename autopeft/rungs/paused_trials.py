"""Trials between two rungs, in memory and beside the journal, so that a kill costs one pack."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft import weights

if TYPE_CHECKING:
    import torch

    from autopeft.training.loop import Trained

Runs = tuple["Trained", ...]
"""One per seed."""


@dataclass
class PausedTrials:
    """What each trial of a batch had reached; the trial itself stays unfinished in the journal."""

    study: Path
    note: Callable[[str], None]
    _runs: dict[tuple[int, int], Runs] = field(default_factory=dict)

    def keep(self, number: int, runs: Sequence[Trained]) -> None:
        """Remember a trial; a disk that refuses costs its place after a kill, nothing else."""
        step = runs[0].paused.step
        self._runs[number, step] = tuple(runs)
        try:
            weights.write(self._file(number, step), *_plain(runs))
        except OSError as error:
            self.note(f"trial {number} is kept in memory only: {error.strerror or error}")

    def runs(self, number: int, step: int) -> Runs:
        """The trial as it was after that many steps; empty when it is not known."""
        if (number, step) not in self._runs:
            found = _read(self._file(number, step))
            if not found:
                return ()
            self._runs[number, step] = found
        return self._runs[number, step]

    def clear(self) -> None:
        """Forget all of them: their batch is finished."""
        self._runs.clear()
        for file in weights.folder(self.study).glob("paused-*.safetensors"):
            file.unlink(missing_ok=True)

    def _file(self, number: int, step: int) -> Path:
        return weights.folder(self.study) / f"paused-{number}-{step}.safetensors"


def _plain(runs: Sequence[Trained]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors, and everything else as JSON."""
    tensors: dict[str, torch.Tensor] = {}
    facts = []
    for index, run in enumerate(runs):
        parts: Mapping[str, Mapping[str, torch.Tensor]] = {
            "tensors": run.paused.tensors,
            "memory": run.paused.memory,
            "predictions": {str(i): rung.predictions for i, rung in enumerate(run.rungs)},
            **run.paused.moments,
        }
        tensors |= {
            f"{index}|{part}|{name}": tensor
            for part, found in parts.items()
            for name, tensor in found.items()
        }
        rungs = [[rung.step, rung.train_loss] for rung in run.rungs]
        facts.append(
            {
                "step": run.paused.step,
                "rungs": rungs,
                "seconds": run.seconds,
                "pack": run.pack,
            }
        )
    return tensors, {"runs": json.dumps(facts)}


def _read(file: Path) -> Runs:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            facts = json.loads(opened.metadata()["runs"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return ()
    return tuple(_run(fact, index, tensors) for index, fact in enumerate(facts))


def _run(facts: Mapping[str, Any], index: int, tensors: Mapping[str, torch.Tensor]) -> Trained:
    from autopeft.training.loop import Rung, Trained
    from autopeft.training.packed_adamw import MOMENTS
    from autopeft.training.resumption import Paused

    def part(name: str) -> dict[str, torch.Tensor]:
        start = f"{index}|{name}|"
        return {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}

    predictions = part("predictions")
    reached = enumerate(facts["rungs"])
    rungs = tuple(Rung(step, loss, predictions[str(i)]) for i, (step, loss) in reached)
    moments = {name: part(name) for name in MOMENTS}
    paused = Paused(facts["step"], part("tensors"), moments, part("memory"))
    return Trained(rungs, True, paused, facts["seconds"], facts["pack"])
