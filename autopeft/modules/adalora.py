"""AdaLoRA: a LoRA whose ranks are cut to where they matter, in training (arXiv 2303.10512).

`rank` triplets per site are held throughout; the `live` share of all of them is left in the end,
and is what is exported, as a plain LoRA. See `callbacks.adalora`.
"""

from __future__ import annotations

from autopeft.callbacks.adalora import AdaLora, PackedAdaLora
from autopeft.training.triplets import count, with_scaling
from autopeft.types import LearningRates, PeftModule

MODULE = PeftModule(
    label="AdaLoRA",
    paper="arXiv 2303.10512",
    kind="linear",
    size="rank",
    defaults={"scaling": 2.0, "live": 0.5},
    count=count,
    stack=PackedAdaLora,
    mergeable=True,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="5e-4 to 2.2e-3 on GLUE in AdaLoRA (2303.10512); a proxy of 100 steps needs more",
    ),
    method=AdaLora,
    as_lora=with_scaling,
)
