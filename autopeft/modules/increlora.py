"""IncreLoRA: a LoRA that grows from rank 1 where it matters, in training (arXiv 2308.12043).

`rank` directions per site are held throughout; the `live` share of all of them is what it grows to,
at least 1 per site, and what is exported, as a plain LoRA with alpha at every site. See
`callbacks.increlora`.
"""

from __future__ import annotations

from autopeft.callbacks.increlora import IncreLora, PackedIncreLora
from autopeft.training.triplets import count, with_alpha
from autopeft.types import LearningRates, PeftModule

MODULE = PeftModule(
    label="IncreLoRA",
    paper="arXiv 2308.12043",
    kind="linear",
    size="rank",
    defaults={"alpha": 16.0, "live": 0.5},
    count=count,
    stack=PackedIncreLora,
    mergeable=True,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="3.5e-4 to 2.2e-3 on GLUE in IncreLoRA's scripts (2308.12043); a proxy of 100 steps "
        "needs more",
    ),
    method=IncreLora,
    as_lora=with_alpha,
)
"""Alpha as in the release; the scale is alpha over the current rank."""
