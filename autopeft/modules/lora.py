"""LoRA: a low-rank update beside a linear (Hu et al., ICLR 2022, arXiv 2106.09685).

`y = W x + scaling * B A x` with A [r, d_in] drawn as in peft and B [d_out, r] zero.
"""

from __future__ import annotations

from autopeft.training.lora import PackedLora, count
from autopeft.types import LearningRates, PeftModule

MODULE = PeftModule(
    label="LoRA",
    paper="arXiv 2106.09685",
    kind="linear",
    size="rank",
    defaults={"scaling": 2.0},
    count=count,
    stack=PackedLora,
    mergeable=True,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="2e-4 in peft's examples and QLoRA (2305.14314), 4e-4 to 5e-4 on GLUE in LoRA "
        "(2106.09685), up to 2.2e-3 in AdaLoRA (2303.10512); a proxy of 100 steps needs more",
    ),
)
