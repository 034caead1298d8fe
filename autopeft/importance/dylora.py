"""DyLoRA: every rank of every site scored by truncating one nested-rank supernet.

Valipour et al., EACL 2023 (2210.07558). After one run at the largest rank, a rank is worth the
loss that the truncation below it costs while all other sites keep theirs; forward passes alone.
How well these losses add up is measured on allocations from the integer program.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from autopeft.callbacks.dylora import Cuts, DyLora
from autopeft.scoring.scoring import RANK, Scoring
from autopeft.training.pack import Pack
from autopeft.types import ImportanceMethod, Scores

if TYPE_CHECKING:
    import torch

NAME = "dylora"
COPIES = 8
"""Truncations that run in one forward pass."""
BATCHES = 4
PROPOSALS = 8
"""Diverse allocations that additivity is measured on."""


def score(scoring: Scoring) -> Scores:
    """What each rank of each site takes off the loss; a site's score is that of all its ranks."""
    import torch

    supernet = scoring.pack([scoring.lora(RANK)])
    scoring.train(supernet, callbacks=[DyLora()])
    pack = scoring.pack([scoring.lora(RANK)] * COPIES)
    for index in range(COPIES):
        pack.restore(index, supernet.export(0))
    count = len(pack.layers)
    vectors = [_truncated(count, site, rank) for site in range(count) for rank in range(RANK)]
    losses = truncation_losses(scoring, pack, [torch.full((count,), RANK), *vectors])
    full, table = losses[0], losses[1:].view(count, RANK)
    gains = table - torch.cat([table[:, 1:], full.expand(count, 1)], dim=1)
    names = [site.name for site in pack.sites.values()]
    ranks = dict(zip(names, gains.tolist(), strict=True))
    sites = {n: max(0.0, float(t[0] - full)) for n, t in zip(names, table, strict=True)}
    scores = Scores(NAME, sites, {"steps": scoring.protocol.steps, "loss": float(full)}, rank=ranks)
    additivity = _additivity(scoring, pack, scores)
    return Scores(NAME, sites, {**scores.provenance, "additivity": additivity}, rank=ranks)


def truncation_losses(scoring: Scoring, pack: Pack, vectors: list[torch.Tensor]) -> torch.Tensor:
    """Mean loss of each rank vector [sites] on a few batches, [vectors]; copies side by side."""
    import torch

    cuts, found = Cuts(pack), []
    rows = scoring.rows(BATCHES, part=NAME)
    with pack.attached(scoring.model), torch.no_grad():
        for start in range(0, len(vectors), pack.count):
            part = vectors[start : start + pack.count]
            cuts.to(torch.stack([*part, *[part[-1]] * (pack.count - len(part))]))
            losses = [scoring.losses(pack, batch).double() for batch in rows]
            found.append(torch.stack(losses).mean(0)[: len(part)].cpu())
    cuts.full()
    return torch.cat(found)


def _truncated(count: int, site: int, rank: int) -> torch.Tensor:
    import torch

    vector = torch.full((count,), RANK)
    vector[site] = rank
    return vector


def _additivity(scoring: Scoring, pack: Pack, scores: Scores) -> dict[str, Any]:
    """Losses of diverse allocations at half the supernet's size, as summed up and as measured."""
    import torch
    from scipy.stats import spearmanr

    from autopeft import catalog, rank_budget

    budget = RANK * sum(rank_budget.price(site) for site in scoring.linears) // 2
    exact = catalog.allocators.load("exact")
    names = [site.name for site in pack.sites.values()]
    vectors, predicted = [], []
    for number in range(1, PROPOSALS + 1):
        settings = {"max_rank": RANK, "solution": number}
        placed = exact.allocate(scores, scoring.backbone, budget, settings)
        of_site = {p.site: int(p.settings["rank"]) for p in placed}
        vectors.append(torch.tensor([of_site.get(name, 0) for name in names]))
        lost = (sum(scores.rank[name][of_site.get(name, 0) :]) for name in names)
        predicted.append(float(scores.provenance["loss"]) + sum(lost))
    measured = truncation_losses(scoring, pack, vectors).tolist()
    varied = len(set(predicted)) > 1 and len(set(measured)) > 1
    found = float(spearmanr(predicted, measured).statistic) if varied else math.nan
    return {
        "predicted": predicted,
        "measured": measured,
        "rank_correlation": found if math.isfinite(found) else None,
    }


METHOD = ImportanceMethod(
    label="DyLoRA: what truncating a nested-rank supernet costs, rank by rank",
    paper="Valipour et al., DyLoRA, EACL 2023 (arXiv 2210.07558)",
    score=score,
    allocator="ranks",
    cost="one short training and forward passes",
)
