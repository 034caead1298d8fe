"""Cut heads: a share of every layer's attention heads is left out (Light-PEFT).

`cut` is a percentage; never more are cut, and never a layer's last. With grouped queries a
key/value head goes with its query heads. See `callbacks.pruning`, and `resizing` for a model
without them.
"""

from __future__ import annotations

from functools import partial

from autopeft.callbacks.pruning import PackedHeads, Pruning
from autopeft.training.masks import count, spared
from autopeft.types import LearningRates, PeftModule

MODULE = PeftModule(
    label="Cut attention heads",
    paper="arXiv 2406.03792",
    kind="attention",
    size="cut",
    defaults={},
    count=count,
    stack=PackedHeads,
    mergeable=False,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="3e-4 on RoBERTa-large in Light-PEFT (2406.03792); a proxy of 100 steps needs more",
    ),
    spares=spared,
    method=partial(Pruning, PackedHeads),
)
