"""SPT's sensitivity from row and column sums alone: no number per weight is kept.

PST (Li et al., IJCAI 2022, 2205.11166) estimates the importance of a weight from a row, a column
and a low-rank part. Here the squared gradients of a matrix are estimated by the rank-1 matrix with
their row and column sums, as Adafactor does; the sum of a site is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.scoring import gradient_pass
from autopeft.scoring.scoring import Scoring
from autopeft.types import ImportanceMethod, Scores

if TYPE_CHECKING:
    import torch

NAME = "spt_light"
FINER = 10
"""Fine bins in one bin of the histogram."""


def score(scoring: Scoring) -> Scores:
    """As SPT's scores, with estimated histograms; needs d_in + d_out numbers per site.

    Raises:
        UsageError: no batch, or weights without gradients.
        AutoPeftError: a loss or a gradient is not finite.
    """
    import torch

    weights = gradient_pass.linear_weights(scoring.model, scoring.backbone, method="SPT")
    rows = {w: torch.zeros(w.shape[0], dtype=torch.float64) for w in weights.values()}
    columns = {w: torch.zeros(w.shape[1], dtype=torch.float64) for w in weights.values()}

    def fold(weight: torch.nn.Parameter, gradient: torch.Tensor) -> None:
        squares = gradient.float().square()
        rows[weight] += squares.sum(1).cpu()
        columns[weight] += squares.sum(0).cpu()

    batches = scoring.batches
    gradient_pass.over(scoring.model, batches, list(weights.values()), fold=fold, method="SPT")
    sums = {name: float(rows[weight].sum()) for name, weight in weights.items()}
    gradient_pass.check_sums(sums, method="SPT")
    histogram = {name: _histogram(rows[w], columns[w]) for name, w in weights.items()}
    return Scores(NAME, sums, {"batches": len(batches)}, {"histogram": histogram})


def _histogram(rows: torch.Tensor, columns: torch.Tensor) -> list[int]:
    """Histogram of `rows columns^T / total`, from the histograms of the two logarithms."""
    import numpy as np

    total = float(rows.sum())
    if not total:
        return [0] * gradient_pass.BINS
    per_decade = gradient_pass.BINS_PER_DECADE
    ends = []
    for values in (rows[rows > 0] / total**0.5, columns[columns > 0] / total**0.5):
        ends.append(np.floor(values.log10().numpy() * per_decade * FINER).astype(int))
    lowest = ends[0].min() + ends[1].min()
    fine_rows, fine_columns = (np.bincount(end - end.min()) for end in ends)
    counts = np.convolve(fine_rows, fine_columns)
    # The sum of two floors is low by one half of a fine bin on average, twice.
    fine = np.arange(len(counts)) + lowest + 1
    bins = fine // FINER - gradient_pass.LOWEST_EXPONENT * per_decade
    found = np.zeros(gradient_pass.BINS, dtype=np.int64)
    np.add.at(found, bins.clip(0, gradient_pass.BINS - 1), counts)
    return [int(count) for count in found]


METHOD = ImportanceMethod(
    label="SPT sensitivity estimated from row and column sums",
    paper="He et al., ICCV 2023, with the row and column importance of PST (Li et al., IJCAI 2022)",
    score=score,
    allocator="structured",
    cost="a few gradient passes",
)
