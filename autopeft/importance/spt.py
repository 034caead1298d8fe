"""SPT: sites by the number of their most sensitive weights (He et al., ICCV 2023, 2303.08566).

The sensitivity of a weight is the sum over batches of its squared batch-mean gradient. The
allocator `structured` makes SPT's split from the histograms kept here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.scoring import gradient_pass
from autopeft.scoring.scoring import Scoring
from autopeft.types import ImportanceMethod, Scores

if TYPE_CHECKING:
    import torch

NAME = "spt"


def score(scoring: Scoring) -> Scores:
    """Sum of squared gradients of each linear site, and their histogram, from one pass.

    Needs one float32 number of CPU memory per weight; `spt_light` needs far less.

    Raises:
        UsageError: no batch, or weights without gradients.
        AutoPeftError: a loss or a gradient is not finite.
    """
    import torch

    weights = gradient_pass.linear_weights(scoring.model, scoring.backbone, method="SPT")
    squares = {weight: torch.zeros(weight.shape) for weight in weights.values()}

    def fold(weight: torch.nn.Parameter, gradient: torch.Tensor) -> None:
        values = gradient.cpu().float()
        squares[weight].addcmul_(values, values)

    batches = scoring.batches
    gradient_pass.over(scoring.model, batches, list(weights.values()), fold=fold, method="SPT")
    sums = {name: float(squares[w].sum(dtype=torch.float64)) for name, w in weights.items()}
    gradient_pass.check_sums(sums, method="SPT")
    histogram = {name: _histogram(squares[weight]) for name, weight in weights.items()}
    return Scores(NAME, sums, {"batches": len(batches)}, {"histogram": histogram})


def _histogram(squares: torch.Tensor) -> list[int]:
    """How many positive values fall into each logarithmic bin."""
    import torch

    counts = torch.zeros(gradient_pass.BINS, dtype=torch.int64)
    for part in torch.split(squares.flatten(), 1 << 22):
        bins = gradient_pass.bins_of(part[part > 0])
        counts += torch.bincount(bins, minlength=gradient_pass.BINS)
    return [int(count) for count in counts]


METHOD = ImportanceMethod(
    label="SPT sensitivity: squared batch gradients of every weight",
    paper="He et al., Sensitivity-Aware Visual Parameter-Efficient Fine-Tuning, ICCV 2023",
    score=score,
    allocator="structured",
    cost="a few gradient passes",
)
