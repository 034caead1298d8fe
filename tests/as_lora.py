"""The plain LoRA that a trained method amounts to, beside the pack that it was trained in."""

from __future__ import annotations

from typing import Any

import torch

from autopeft.scoring import Scoring
from autopeft.types import Configuration, Placement


def check(scoring: Scoring, pack: Any, index: int = 0) -> list[int]:
    """Its ranks by site, after asserting that both give the same logits within 1e-4."""
    placed, tensors, ranks = [], {}, []
    own = pack.jobs[index].configuration.placements
    for placement in own:
        piece = pack.types[placement.module]
        layer = pack.layers[f"{placement.site}:{placement.module}".replace(".", "/")]
        lora = piece.as_lora(placement.settings, layer.export(index))
        rank = len(lora.A)
        ranks.append(rank)
        if rank:
            settings = {"rank": rank, "scaling": lora.scaling}
            placed.append(Placement(placement.site, "lora", settings))
            tensors[f"{placement.site}:lora:A"] = lora.A
            tensors[f"{placement.site}:lora:B"] = lora.B
    plain = scoring.pack([Configuration(tuple(placed), 1e-3)])
    plain.restore(0, tensors)
    batch = scoring.splits[0].batch(scoring.rows(1)[0])
    found = []
    for one, k in ((pack, index), (plain, 0)):
        with one.attached(scoring.model), torch.no_grad():
            found.append(one.logits(scoring.model, batch)[k])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-4)
    return ranks
