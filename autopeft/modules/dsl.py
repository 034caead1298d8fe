"""DSL-style LoRA: directions that do little are dropped for others elsewhere, in training.

`rank` directions per site are held throughout; the `live` share of all of them is used at every
step, and what is exported, as a plain LoRA. See `callbacks.dsl`.
"""

from __future__ import annotations

from autopeft.callbacks.dsl import Dsl, PackedDsl
from autopeft.training.triplets import count, with_scaling
from autopeft.types import PeftModule

MODULE = PeftModule(
    label="DSL-style LoRA",
    paper="after DSL; regrowth as in RigL, arXiv 1911.11134",
    kind="linear",
    size="rank",
    defaults={"scaling": 2.0, "live": 0.5},
    count=count,
    stack=PackedDsl,
    mergeable=True,
    method=Dsl,
    as_lora=with_scaling,
)
