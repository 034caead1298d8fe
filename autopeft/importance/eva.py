"""EVA: ranks by the variance of what each linear reads (Paischer et al., 2410.07170).

The principal components of a linear's inputs, by the incremental PCA of peft; all (site,
component) pairs compete by the share of the variance that they explain. No gradient is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopeft.scoring.scoring import BATCHES, Scoring
from autopeft.training.handles import held
from autopeft.types import ImportanceMethod, Scores

if TYPE_CHECKING:
    import torch

NAME = "eva"
COMPONENTS = 16
"""Largest rank that a site can be given."""


def score(scoring: Scoring) -> Scores:
    """Share of the variance that the first components explain, each and together."""
    import torch
    from peft.utils.incremental_pca import IncrementalPCA

    found: dict[str, Any] = {}
    with _inputs(scoring) as inputs, torch.no_grad():
        for rows in scoring.rows(BATCHES):
            batch = scoring.splits[0].batch(rows)
            scoring.model(**batch)
            real = batch["attention_mask"].flatten().bool()
            for name, hidden in inputs.items():
                tokens = hidden.reshape(-1, hidden.shape[-1])[real].double()
                depth = min(COMPONENTS, hidden.shape[-1], len(tokens))
                found.setdefault(name, IncrementalPCA(n_components=depth)).partial_fit(tokens)
    ranks = {name: pca.explained_variance_ratio_.tolist() for name, pca in found.items()}
    sites = {name: float(sum(values)) for name, values in ranks.items()}
    return Scores(NAME, sites, {"batches": BATCHES, "components": COMPONENTS}, rank=ranks)


@contextmanager
def _inputs(scoring: Scoring) -> Iterator[dict[str, torch.Tensor]]:
    """What each linear last read, by the name of its site."""
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        def forward(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
            seen[name] = args[0]

        return forward

    hooks = [
        scoring.model.get_submodule(site.path).register_forward_pre_hook(keep(site.name))
        for site in scoring.linears
    ]
    with held(hooks):
        yield seen


METHOD = ImportanceMethod(
    label="EVA: explained variance of what each linear reads",
    paper="Paischer et al., One Initialization to Rule them All, 2024 (arXiv 2410.07170)",
    score=score,
    allocator="ranks",
    cost="a few forward passes",
)
