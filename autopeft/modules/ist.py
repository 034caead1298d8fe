"""IST: a LoRA whose layers rest in most steps, drawn by a learned importance (arXiv 2410.11772).

The `trained` share of the layers is trained in a step, rounded down together and one at least; all
ship, as a plain LoRA. Its peak memory is that of the worst draw, in which the lowest layer is
trained. Rewards are standardised within a round, as short runs need. See `callbacks.ist`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from autopeft.callbacks.ist import Ist, PackedIst
from autopeft.training.lora import count
from autopeft.types import LearningRates, Lora, PeftModule, Settings

if TYPE_CHECKING:
    import torch


def as_lora(settings: Settings, tensors: Mapping[str, torch.Tensor]) -> Lora:
    """It is one."""
    return Lora(float(settings["scaling"]), tensors["A"], tensors["B"])


MODULE = PeftModule(
    label="IST",
    paper="arXiv 2410.11772",
    kind="linear",
    size="rank",
    defaults={"scaling": 2.0, "trained": 0.25},
    count=count,
    stack=PackedIst,
    mergeable=True,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="2e-4 on LLaMA in IST (2410.11772); a proxy of 100 steps needs more, as for LoRA",
    ),
    method=partial(Ist, kind=PackedIst, standardised=True, step_size=0.5),
    as_lora=as_lora,
)
