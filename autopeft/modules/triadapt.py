"""TriAdaptLoRA: a LoRA with a square core that grows in training (arXiv 2501.08008).

`rank` directions per site are held throughout; the `live` share of all of them is what it grows to,
at least 1 per site, and what is exported, as a plain LoRA with alpha at every site. See
`callbacks.triadapt`.
"""

from __future__ import annotations

from autopeft.callbacks.triadapt import PackedTriAdapt, TriAdapt, as_lora
from autopeft.types import Count, PeftModule, Settings, Site


def count(site: Site, settings: Settings) -> Count:
    """Held: r (d_in + d_out) + r^2. Published: the plain LoRA of the live share."""
    rank, width = int(settings["rank"]), site.in_features + site.out_features
    return Count(rank * (width + rank), round(float(settings["live"]) * rank * width))


MODULE = PeftModule(
    label="TriAdaptLoRA",
    paper="arXiv 2501.08008",
    kind="linear",
    size="rank",
    defaults={"alpha": 16.0, "live": 0.5},
    count=count,
    stack=PackedTriAdapt,
    mergeable=True,
    method=TriAdapt,
    as_lora=as_lora,
    square=True,
)
