"""AdaLoRA's triplets: what each rank of each site was worth in one run that prunes them.

Zhang et al., ICLR 2023 (2303.10512), see `callbacks.adalora`. The last scores, sensitivity times
uncertainty, order all (site, rank) pairs; the allocator cuts them at any budget. What is allocated
is trained anew as a plain LoRA.
"""

from __future__ import annotations

from typing import Any

from autopeft.callbacks.adalora import scores as last_scores
from autopeft.scoring.scoring import LEARNING_RATE, RANK, Scoring
from autopeft.types import Configuration, ImportanceMethod, Placement, Scores

NAME = "adalora"


def score(scoring: Scoring) -> Scores:
    """The scores of a site's triplets, highest first, and their sum."""
    settings = {**scoring.modules[NAME].defaults, "rank": RANK}
    placed = tuple(Placement(site.name, NAME, settings) for site in scoring.linears)
    pack = scoring.pack([Configuration(placed, LEARNING_RATE)])
    scoring.train(pack)
    layers: list[Any] = list(pack.layers.values())
    table = last_scores(layers)[0].double().view(len(placed), RANK)
    # Products of small numbers: only their ratios mean something.
    table = table / table.max().clamp(min=1e-300)
    names = [site.name for site in pack.sites.values()]
    ranks = {
        n: row.sort(descending=True).values.tolist() for n, row in zip(names, table, strict=True)
    }
    final = {n: int(layer.kept[0].sum()) for n, layer in zip(names, layers, strict=True)}
    about = {"steps": scoring.protocol.steps, "initial_rank": RANK, "final_ranks": final}
    return Scores(NAME, {n: sum(row) for n, row in ranks.items()}, about, rank=ranks)


METHOD = ImportanceMethod(
    label="AdaLoRA: sensitivity x uncertainty of triplets in a run that prunes them",
    paper="Zhang et al., AdaLoRA, ICLR 2023 (arXiv 2303.10512)",
    score=score,
    allocator="ranks",
    cost="one short training",
)
