"""Cut neurons: a share of the feed-forward neurons of all layers is left out (Light-PEFT).

`cut` is a percentage of the neurons at all sites that have it; never more are cut, and never a
layer's last. See `callbacks.pruning`, and `resizing` for a model without them.
"""

from __future__ import annotations

from autopeft.callbacks.pruning import PackedNeurons, module

MODULE = module("Cut feed-forward neurons", "mlp", PackedNeurons, together=True)
