"""Cut heads: a share of every layer's attention heads is left out (Light-PEFT).

`cut` is a percentage; never more are cut, and never a layer's last. With grouped queries a
key/value head goes with its query heads. See `callbacks.pruning`, and `resizing` for a model
without them.
"""

from __future__ import annotations

from autopeft.callbacks.pruning import PackedHeads, module

MODULE = module("Cut attention heads", "attention", PackedHeads)
