"""Real trainings as rows of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from autopeft import digest
from autopeft.evaluate import Evaluation, Evaluator
from tests.benchmarks.table.file import Row

RUNGS = (0.15, 0.4, 1.0)
"""Shares of the steps at which every training is scored, on all rows."""


class Unmeasured(Evaluator):
    """Leaves memory predicted on a GPU too: to measure it takes steps of each training alone."""

    measures_memory = False


def scored_at_rungs(evaluator: Evaluator, seed: int) -> Evaluator:
    """The evaluator with one seed, which scores at every rung."""
    rows = len(evaluator.splits[1])
    protocol = dataclasses.replace(evaluator.protocol, rungs=RUNGS, early_rows=rows)
    return dataclasses.replace(Unmeasured(**vars(evaluator)), protocol=protocol, seeds=(seed,))


def rows_of(
    evaluation: Evaluation, *, space: str, point: Mapping[str, Any], seed: int
) -> Iterator[Row]:
    """One row per rung; a run that failed has one, without a score."""
    outcome = evaluation.outcome
    measured = {name: m.value for name, m in outcome.measurements.items()}
    curve = outcome.provenance.get("curve", [])
    failed = bool(evaluation.failure) or not curve
    for rung in curve[-1:] if failed else curve:
        yield Row(
            space=space,
            digest=digest.of_configuration(outcome.configuration),
            point=dict(point),
            seed=seed,
            share=1.0 if failed else rung["step"] / curve[-1]["step"],
            step=int(rung["step"]),
            score=float("nan") if failed else float(rung["score"]),
            error=outcome.measurements["score"].error if "score" in measured else 0.0,
            train_loss=float(rung["train_loss"]),
            trainable=int(measured["trainable"]),
            memory=int(measured["memory_predicted"]),
            seconds=float(measured.get("seconds", 0.0)),
            failure=evaluation.failure,
        )
