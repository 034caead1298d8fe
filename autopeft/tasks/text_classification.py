"""Text classification: one or two texts, one of C classes.

The bootstrap draws counts of (label, prediction) cells from a multinomial, which is exactly the
resampling of examples for scores that depend on these counts alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autopeft.types import Metric, Task, TaskData

if TYPE_CHECKING:
    import numpy as np
    import torch

RESAMPLES = 200
SEED = 0

Counts = Callable[[Any, Any, Any], Any]
"""(correct, predicted, labelled rows per class, each [R, C]) -> score [R]."""


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Share of correct predictions."""
    return float((predictions == labels).mean())


def accuracy_error(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Binomial standard error of the accuracy."""
    share = accuracy(predictions, labels)
    return math.sqrt(share * (1 - share) / len(labels))


def macro_f1(correct: Any, predicted: Any, labelled: Any) -> Any:
    """Mean F1 of the classes that are predicted or present."""
    rows = predicted + labelled
    present = rows > 0
    scores = 2 * correct / rows.clip(min=1)
    return scores.sum(-1) / present.sum(-1)


def matthews(correct: Any, predicted: Any, labelled: Any) -> Any:
    """Matthews correlation for C classes (Gorodkin 2004); 0 where it is undefined."""
    rows = labelled.sum(-1)
    covariance = correct.sum(-1) * rows - (predicted * labelled).sum(-1)
    spread = (rows**2 - (predicted**2).sum(-1)) * (rows**2 - (labelled**2).sum(-1))
    return covariance / spread.clip(min=1) ** 0.5


def _cells(predictions: np.ndarray, labels: np.ndarray) -> tuple[Any, Any]:
    """The (label, prediction) pairs that occur, [cells, 2], and how often, [cells]."""
    import numpy as np

    pairs = np.stack([labels, predictions], axis=1).astype(np.int64)
    return np.unique(pairs, axis=0, return_counts=True)


def _score(count: Counts, cells: Any, draws: Any) -> Any:
    """Scores [R] of R tables given as counts of the cells, [R, cells]."""
    import numpy as np

    label, prediction = np.eye(cells.max() + 1)[cells.T]
    return count(draws @ (label * prediction), draws @ prediction, draws @ label)


def _metric(label: str, count: Counts) -> Metric:
    """A metric of the counts, with its bootstrap standard error."""

    def value(predictions: np.ndarray, labels: np.ndarray) -> float:
        cells, counts = _cells(predictions, labels)
        return float(_score(count, cells, counts[None])[0])

    def error(predictions: np.ndarray, labels: np.ndarray) -> float:
        import numpy as np

        cells, counts = _cells(predictions, labels)
        generator = np.random.default_rng(SEED)
        draws = generator.multinomial(len(labels), counts / len(labels), size=RESAMPLES)
        return float(_score(count, cells, draws).std(ddof=1))

    return Metric(label, value, error)


def outputs(data: TaskData) -> int:
    """One logit per class."""
    return len(data.classes)


def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of each configuration [K], in float32 at least."""
    import torch

    scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
    targets = labels.long().expand(logits.shape[0], -1)
    losses = torch.nn.functional.cross_entropy(
        scores.flatten(0, 1), targets.flatten(), reduction="none"
    )
    return losses.view(logits.shape[:2]).mean(dim=1)


def predict(logits: torch.Tensor) -> torch.Tensor:
    """The class with the largest logit."""
    return logits.argmax(dim=-1)


TASK = Task(
    label="Text classification",
    architecture="AutoModelForSequenceClassification",
    metrics={
        "accuracy": Metric("Accuracy", accuracy, accuracy_error),
        "macro_f1": _metric("Macro F1", macro_f1),
        "matthews": _metric("Matthews correlation", matthews),
    },
    outputs=outputs,
    loss=loss,
    predict=predict,
)
