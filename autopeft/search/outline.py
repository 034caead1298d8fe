"""What a search works out before its first trial, and keeps in the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autopeft.optimiser.problem import Problem
from autopeft.scoring.site_scores import to_json
from autopeft.scoring.worth import Worth
from autopeft.search.design import Design, design, with_design
from autopeft.search.problem import (
    DESIGN_METHODS,
    Importance,
    expanded,
    importance,
    limits_of,
    problem_of,
)
from autopeft.search.seeding import seeds
from autopeft.search.transfer import Lesson, WarmStart, lesson_of, prior_of, warm_start
from autopeft.space.spec import SpaceSpec
from autopeft.study import results
from autopeft.study.ledger import Ledger
from autopeft.types import Objective
from autopeft.workbench import Note, Workbench

LESSON = "warm_start"


@dataclass(frozen=True)
class Outline:
    """The problem with its initial design, and where both come from."""

    objectives: Mapping[str, Objective]
    """The trained one first."""
    problem: Problem
    design: Design
    importance: Importance
    lesson: Lesson | None
    """Of an earlier study."""
    allowed: int
    """Parameters at the budget."""

    def remember(self, ledger: Ledger) -> None:
        """Keep what a later run of the same search must not work out anew."""
        for name, scores in self.importance.items():
            ledger.remember(f"importance:{name}", to_json(scores))
        if isinstance(self.problem.worth, Worth):
            ledger.remember("worth", self.problem.worth.to_json())
        if self.lesson is not None:
            ledger.remember(LESSON, self.lesson.to_json())


def outline(
    bench: Workbench,
    spec: SpaceSpec,
    objectives: Mapping[str, Objective],
    *,
    ledger: Ledger | None,
    note: Note,
) -> Outline:
    """The outline of a new study, or of the one that the ledger holds.

    Raises:
        NothingFits: no configuration of the space is within the limits.
        UsageError: a method cannot score this model, or an earlier study teaches nothing.
    """
    lesson, prior = _taught(bench, ledger)
    found = importance(bench, spec, ledger, note)
    limits = limits_of(bench)
    space = expanded(bench, spec, found, limits)
    problem = problem_of(bench, space, objectives, limits, importance=found, prior=prior)
    note("laying out the first configurations")
    earlier = (
        seeds(lesson, bench.backbone, size=problem.stratify, limit=limits.parameters)
        if lesson
        else ()
    )
    first = design(
        problem,
        bench.backbone,
        limit=limits.parameters,
        importance={name: found[name] for name in DESIGN_METHODS},
        seeds=earlier,
    )
    return Outline(objectives, with_design(problem, first), first, found, lesson, limits.parameters)


def _taught(bench: Workbench, ledger: Ledger | None) -> tuple[Lesson | None, WarmStart | None]:
    """What an earlier study teaches, as it was when this one began, and the prior it gives.

    It is judged once: no other machine's rounding keeps a study from going on.
    """
    stored = ledger.recall(LESSON) if ledger else None
    if stored is not None:
        lesson = Lesson.from_json(stored)
        return lesson, prior_of(lesson, bench.backbone, bench.modules)
    study = bench.settings.warm_start
    if not study:
        return None, None
    lesson = lesson_of(results.snapshot(Path(study)))
    return lesson, warm_start(lesson, bench.backbone, bench.modules)
