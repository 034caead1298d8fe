"""Text regression: one or two texts, one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopeft.types import Metric, Task, TaskData

if TYPE_CHECKING:
    import numpy as np
    import torch

RESAMPLES = 200
SEED = 0


def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Correlation of predictions and labels; 0 when either is constant or not a number."""
    return float(_correlations(predictions[None], labels[None])[0])


def spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Correlation of the ranks, ties at their mean rank; 0 when either is constant."""
    return float(_correlations(_ranks(predictions[None]), _ranks(labels[None]))[0])


def pearson_error(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Bootstrap standard error over examples."""
    rows = _resamples(len(labels))
    return float(_correlations(predictions[rows], labels[rows]).std(ddof=1))


def spearman_error(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Bootstrap standard error over examples, ranked anew in each resample."""
    rows = _resamples(len(labels))
    return float(_correlations(_ranks(predictions[rows]), _ranks(labels[rows])).std(ddof=1))


def _resamples(rows: int) -> np.ndarray:
    """Row indices of the resamples, [R, rows]."""
    import numpy as np

    return np.random.default_rng(SEED).integers(0, rows, size=(RESAMPLES, rows))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks within each row of [R, rows]."""
    from scipy.stats import rankdata

    ranks: np.ndarray = rankdata(values, axis=-1)
    return ranks


def _correlations(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pearson correlation of each row of [R, rows]."""
    import numpy as np

    left, right = left.astype(np.float64), right.astype(np.float64)
    varied = (np.ptp(left, axis=-1) > 0) & (np.ptp(right, axis=-1) > 0)
    left = left - left.mean(-1, keepdims=True)
    right = right - right.mean(-1, keepdims=True)
    spread = np.sqrt((left**2).sum(-1) * (right**2).sum(-1))
    covariance = (left * right).sum(-1)
    scores = np.zeros(len(covariance))
    np.divide(covariance, spread, out=scores, where=varied & (spread > 0))
    return scores


def outputs(data: TaskData) -> int:
    """One number."""
    return 1


def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean squared error of each configuration [K], in float32 at least."""
    import torch

    numbers = logits.squeeze(-1).to(torch.promote_types(logits.dtype, torch.float32))
    return (numbers - labels.to(numbers.dtype)).square().mean(dim=1)


def predict(logits: torch.Tensor) -> torch.Tensor:
    """The number itself."""
    return logits.squeeze(-1)


TASK = Task(
    label="Text regression",
    architecture="AutoModelForSequenceClassification",
    metrics={
        "spearman": Metric("Spearman correlation", spearman, spearman_error),
        "pearson": Metric("Pearson correlation", pearson, pearson_error),
    },
    outputs=outputs,
    loss=loss,
    predict=predict,
)
