"""Cut neurons: a share of the feed-forward neurons of all layers is left out (Light-PEFT).

`cut` is a percentage of the neurons at all sites that have it; never more are cut, and never a
layer's last. See `callbacks.pruning`, and `resizing` for a model without them.
"""

from __future__ import annotations

from functools import partial

from autopeft.callbacks.pruning import PackedNeurons, Pruning
from autopeft.training.masks import count, spared
from autopeft.types import LearningRates, PeftModule

MODULE = PeftModule(
    label="Cut feed-forward neurons",
    paper="arXiv 2406.03792",
    kind="mlp",
    size="cut",
    defaults={},
    count=count,
    stack=PackedNeurons,
    mergeable=False,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="3e-4 on RoBERTa-large in Light-PEFT (2406.03792); a proxy of 100 steps needs more",
    ),
    spares=spared,
    method=partial(Pruning, PackedNeurons, together=True),
)
