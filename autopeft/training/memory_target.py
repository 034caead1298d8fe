"""What peak memory is stated for: the batch, the precision of the base, checkpointing, device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from autopeft.errors import UsageError
from autopeft.settings import Settings
from autopeft.training.batches import Split
from autopeft.training.loop import Protocol

PRECISIONS = ("float32", "bfloat16", "float16", "float64", "8bit", "4bit")
"""Types of the frozen weights; the last two as bitsandbytes keeps linears, the rest in bfloat16."""
INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class Target:
    """The training that memory is stated for: `rows` rows of `length` tokens on one device."""

    rows: int
    length: int
    precision: str = "float32"
    checkpointing: bool = False
    """Whether layers are computed a second time in the backward pass instead of kept."""
    device: str = "cpu"
    """`cpu` or `cuda`: whose allocator is meant."""
    inputs: tuple[str, ...] = INPUTS

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            hint = f"use one of {', '.join(PRECISIONS)}"
            raise UsageError(f"unknown precision `{self.precision}`", hint=hint)

    @property
    def dtype(self) -> torch.dtype:
        """Type of activations, and of weights that are not quantised."""
        name = "bfloat16" if self.precision in ("8bit", "4bit") else self.precision
        kind: torch.dtype = getattr(torch, name)
        return kind

    @property
    def quantised(self) -> bool:
        """Whether the linears of the base are kept in 8 or 4 bits."""
        return self.precision in ("8bit", "4bit")


def target_of(
    settings: Settings, protocol: Protocol, *, dtype: str, device: str, inputs: Sequence[str]
) -> Target:
    """The training that a study states memory for.

    Args:
        settings: of the study.
        protocol: how it trains, for what the settings leave open.
        dtype: type of the frozen weights as they are loaded.
        device: `cpu` or `cuda`.
        inputs: names of the tensors of a batch.

    Raises:
        UsageError: the precision is unknown.
    """
    return Target(
        settings.train_batch or protocol.batch,
        settings.train_length or protocol.length,
        precision=settings.train_precision or dtype,
        checkpointing=settings.gradient_checkpointing,
        device=device,
        inputs=tuple(inputs),
    )


class StatedBatch(Split):
    """A split whose only batch has the stated shape, one token of padding in it.

    Without padding a model would leave out its attention mask, which most batches need.
    """

    def batch(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """`rows` rows of `length` tokens."""
        rows, length = len(indices), len(self.rows[0]["input_ids"])
        ids = torch.ones((rows, length), dtype=torch.long, device=self.device)
        mask = torch.ones_like(ids)
        mask[-1, -1] = 0
        known = {"input_ids": ids, "attention_mask": mask}
        return {name: known.get(name, torch.zeros_like(ids)) for name in self.rows[0]}


def stated_batch(target: Target, labels: torch.Tensor, device: torch.device) -> StatedBatch:
    """The batch that memory is stated for."""
    row: dict[str, list[int]] = {name: [1] * target.length for name in _ordered(target.inputs)}
    return StatedBatch((row,), labels, None, device)


def _ordered(names: Sequence[str]) -> list[str]:
    return [*INPUTS, *(name for name in names if name not in INPUTS)]
