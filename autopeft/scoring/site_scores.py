"""Score the sites of a study's backbone with an importance method."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autopeft import catalog
from autopeft.scoring import peak_memory
from autopeft.scoring.scoring import Scoring
from autopeft.types import Scores
from autopeft.workbench import Workbench


def score_sites(bench: Workbench, method: str, *, seed: int | None = None) -> Scores:
    """Scores of every linear site on search-train, with the seconds and the memory they took.

    Raises:
        UsageError: there is no such method, or it cannot score this model or data.
    """
    piece = catalog.importance.load(method)
    scoring = scoring_of(bench, bench.settings.seed if seed is None else seed)
    started = time.perf_counter()
    scores, peak = peak_memory.watched(lambda: piece.score(scoring), bench.checkpoint.device)
    about = {
        "seed": scoring.seed,
        "batch": scoring.protocol.batch,
        "split": "search-train",
        "seconds": time.perf_counter() - started,
        "memory": peak if math.isfinite(peak) else None,
    }
    return replace(scores, provenance={**scores.provenance, **about})


def scoring_of(bench: Workbench, seed: int) -> Scoring:
    """What an importance method works with."""
    evaluator = bench.evaluator
    return Scoring(
        model=bench.checkpoint.model,
        backbone=bench.backbone,
        modules=bench.modules,
        head=bench.checkpoint.head,
        task=bench.task,
        protocol=evaluator.protocol,
        splits=evaluator.splits,
        seed=seed,
    )


def to_json(scores: Scores) -> dict[str, Any]:
    """Plain data."""
    return {
        "method": scores.method,
        "site": dict(scores.site),
        "rank": {name: list(values) for name, values in scores.rank.items()},
        "provenance": dict(scores.provenance),
        "detail": dict(scores.detail),
    }


def from_json(data: Mapping[str, Any]) -> Scores:
    """The inverse of `to_json`."""
    return Scores(
        data["method"], data["site"], data["provenance"], data["detail"], data.get("rank", {})
    )
