"""The plain LoRA that a trained method amounts to, beside the pack that it was trained in."""

from __future__ import annotations

from typing import Any

import torch

from autopeft.adapters import shipping
from autopeft.scoring.scoring import Scoring


def check(scoring: Scoring, pack: Any, index: int = 0) -> list[int]:
    """Its ranks by placement, after asserting that both give the same logits within 1e-4."""
    trained = pack.jobs[index].configuration
    configuration, tensors = shipping.shipped(trained, pack.export(index), pack.types)
    assert {placement.module for placement in configuration.placements} == {"lora"}
    plain = scoring.pack([configuration])
    plain.restore(0, tensors)
    batch = scoring.splits[0].batch(scoring.rows(1)[0])
    found = []
    for one, k in ((pack, index), (plain, 0)):
        with one.attached(scoring.model), torch.no_grad():
            found.append(one.logits(scoring.model, batch)[k])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-4)
    ranks = {p.site: int(p.settings["rank"]) for p in configuration.placements}
    return [ranks.get(placement.site, 0) for placement in trained.placements]
