"""DyLoRA: a LoRA trained at a rank that is drawn anew in every step (arXiv 2210.07558).

It is scored and exported at its full rank; what it is worth when cut is what the importance method
of the same name measures. See `callbacks.dylora`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from autopeft.callbacks.dylora import DyLora, PackedDyLora
from autopeft.training.lora import count
from autopeft.types import Lora, PeftModule, Settings

if TYPE_CHECKING:
    import torch


def as_lora(settings: Settings, tensors: Mapping[str, torch.Tensor]) -> Lora:
    """It is one."""
    return Lora(float(settings["scaling"]), tensors["A"], tensors["B"])


MODULE = PeftModule(
    label="DyLoRA",
    paper="arXiv 2210.07558",
    kind="linear",
    size="rank",
    defaults={"scaling": 2.0},
    count=count,
    stack=PackedDyLora,
    mergeable=True,
    method=partial(DyLora, kind=PackedDyLora),
    as_lora=as_lora,
)
