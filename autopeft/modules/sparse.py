"""Sparse: the `entries` most sensitive weights of a linear are trained one by one (SPT-style).

`y = (W + S) x`; see `training.sparse` for its memory and `callbacks.sparse` for how places are
chosen. With its places it is written in AutoPEFT's own form: the ShiRA of peft (arXiv 2406.13175)
computes the same, but has one r for all sites, each with r (d_in + d_out) entries.
"""

from __future__ import annotations

from autopeft.callbacks.sparse import Choice
from autopeft.training.sparse import PackedSparse, count
from autopeft.types import LearningRates, PeftModule

MODULE = PeftModule(
    label="SPT-style sparse update",
    paper="after SPT, arXiv 2303.08566",
    kind="linear",
    size="entries",
    defaults={},
    count=count,
    stack=PackedSparse,
    mergeable=True,
    learning_rates=LearningRates(
        low=2e-4,
        high=6e-3,
        source="1e-3 on VTAB-1k and FGVC in SPT (2303.08566); a proxy of 100 steps needs more",
    ),
    method=Choice,
)
