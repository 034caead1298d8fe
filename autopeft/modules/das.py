"""DAS: layers that may be skipped; which ones is found in training (arXiv 2309.01479).

The `share` of all of them is skipped in the end, rounded down together, and ships as `skip`; what
else sits inside these layers is left out then. The stand-ins of all are held throughout. See
`callbacks.das`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from autopeft.callbacks.das import Das, PackedDas
from autopeft.training import bottleneck
from autopeft.types import Count, PeftModule, Settings, Shipped, Site

if TYPE_CHECKING:
    import torch


def count(site: Site, settings: Settings) -> Count:
    """Held: a whole adapter. Published: the share of its weights that stays."""
    held = bottleneck.count(site, settings)
    return Count(held.parameters, round(float(settings["share"]) * held.published))


def ships(settings: Settings, tensors: Mapping[str, torch.Tensor]) -> Shipped | None:
    """The adapter where the layer is skipped, and nothing where it is not."""
    if not tensors["skipped"]:
        return None
    kept = {name: settings[name] for name in ("bottleneck", "scaling")}
    weights = {name: tensor for name, tensor in tensors.items() if name != "skipped"}
    return Shipped("skip", kept, weights)


MODULE = PeftModule(
    label="DAS",
    paper="arXiv 2309.01479",
    kind="whole_layer",
    size="bottleneck",
    defaults={"scaling": 1.0, "share": 0.25},
    count=count,
    stack=PackedDas,
    mergeable=False,
    method=Das,
    ships=ships,
    spares=lambda site, settings: float(settings["share"]),
)
