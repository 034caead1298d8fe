"""A trained configuration with all that an exporter needs to write it and to check it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft.types import TrialRecord
from autopeft.workbench import Workbench

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Bundle:
    """One trial, its weights before and after training, and the bench it was trained on."""

    study: str
    """Path of the study, as the user gave it."""
    trial: TrialRecord
    workbench: Workbench
    seed: int
    """Of the initial weights."""
    initial: Mapping[str, torch.Tensor]
    """As `Pack.export` before training."""
    trained: Mapping[str, torch.Tensor]
    """As `Pack.export` after training."""
