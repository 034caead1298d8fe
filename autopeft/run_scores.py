"""The runs of one configuration, one per seed, as a score with its error and as a curve."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autopeft.training.batches import sample
from autopeft.training.loop import Trained
from autopeft.types import Measured, Metric

if TYPE_CHECKING:
    import numpy as np


def scores(runs: Sequence[Trained], metric: Metric, labels: np.ndarray) -> dict[str, Measured]:
    """`score` after the last step, its error over rows and seeds together, and `train_loss`."""
    found = [run.rungs[-1].predictions.numpy() for run in runs]
    values = [metric.value(predictions, labels) for predictions in found]
    examples = statistics.fmean(metric.error(p, labels) for p in found)
    seeds = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    loss = statistics.fmean(run.rungs[-1].train_loss for run in runs)
    return {
        "score": Measured(statistics.fmean(values), (examples**2 + seeds**2) ** 0.5),
        "train_loss": Measured(loss),
    }


def curve(
    runs: Sequence[Trained], metric: Metric, labels: np.ndarray
) -> list[dict[str, float | int]]:
    """Step, training loss, score and its rows at every rung, means over the seeds.

    Args:
        runs: up to the same rung.
        metric: of the score.
        labels: of all rows; an early rung may have scored a sample of them.
    """
    found: list[dict[str, float | int]] = []
    for reached in zip(*(run.rungs for run in runs), strict=True):
        count = len(reached[0].predictions)
        truth = labels[sample(len(labels), count)]
        scores = [metric.value(rung.predictions.numpy(), truth) for rung in reached]
        found.append(
            {
                "step": reached[0].step,
                "train_loss": statistics.fmean(rung.train_loss for rung in reached),
                "score": statistics.fmean(scores),
                "rows": count,
            }
        )
    return found
