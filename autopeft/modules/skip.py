"""Skip: a layer that is not run, with a small adapter in its place (DAS, arXiv 2309.01479).

`h <- h + scaling * up(relu(down(h)))` on the input of the layer, with up zero at the start: the
identity. Nothing else can sit inside the layer; a serial adapter may sit on its output.
"""

from __future__ import annotations

from collections.abc import Sequence

from autopeft.training import bottleneck
from autopeft.training.stand_in import PackedStandIn
from autopeft.types import LearningRates, PeftModule, Settings, Site


def stack(site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]) -> PackedStandIn:
    """K configurations of the adapter that stands in for one layer."""
    return PackedStandIn("skip", site, settings, seeds)


MODULE = PeftModule(
    label="Skipped layer",
    paper="arXiv 2309.01479",
    kind="whole_layer",
    size="bottleneck",
    defaults={"scaling": 1.0},
    count=bottleneck.count,
    stack=stack,
    mergeable=False,
    learning_rates=LearningRates(
        low=1e-4,
        high=6e-3,
        source="as for the serial adapter, whose form it has",
    ),
    spares=lambda site, settings: 1.0,
    replaces=True,
)
