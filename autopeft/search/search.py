"""The main job: ask, train packs, tell, until the trials are done. The same call resumes."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path

from autopeft import catalog
from autopeft.baselines import baselines
from autopeft.confirmation.candidates import foremost
from autopeft.confirmation.confirming import Confirming
from autopeft.confirmation.standing import LEAST_SEEDS
from autopeft.errors import StudyError
from autopeft.progress import Progress
from autopeft.rungs.training import RungTraining
from autopeft.search.outline import Outline, outline
from autopeft.search.problem import chosen_objectives
from autopeft.search.rounds import Rounds
from autopeft.settings import TRIALS, Settings
from autopeft.study import about, journal, results
from autopeft.study.ledger import Ledger
from autopeft.types import Results
from autopeft.workbench import Workbench, build

BATCH = {"cpu": 4, "cuda": 16}
"""How many configurations are asked for at once."""
CONFIRMED = 6
"""Least candidates that a search confirms by itself, if there are as many."""
TRIALS_PER_CONFIRMED = 8
"""A long search confirms one candidate for so many trials: two more trainings for eight."""


def run(settings: Settings, path: Path, progress: Progress, *, command: str = "") -> Results:
    """Search, creating the study or continuing it.

    Args:
        settings: what to search.
        path: of the study's journal.
        progress: listener.
        command: the command line that repeats the search, for the record.

    Raises:
        AutoPeftError: a subclass that says what is wrong; finished trials are kept.
        Interrupted: the user asked to stop.
    """
    objectives = chosen_objectives(settings.objectives)
    spec = catalog.spaces.load(settings.space)
    sampler = catalog.samplers.load(settings.sampler)
    sampler.require()
    with ExitStack() as stack:
        ledger = _existing(path, settings, stack)
        if ledger is not None:
            about.check_digests(ledger.about, {"space": spec.digest}, str(path))
        bench = build(settings, note=progress.note)
        plan = outline(bench, spec, objectives, ledger=ledger, note=progress.note)
        if ledger is None:
            ledger = _create(path, bench, plan, stack)
            ledger.remember("command", command)
        else:
            now = {"data": bench.data.digest, "model": bench.checkpoint.digest}
            about.check_digests(ledger.about, now, str(path))
        if ledger.recall("validation_labels") is None:
            ledger.remember("validation_labels", bench.evaluator.splits[1].labels.tolist())
        _introduce(progress, bench, plan)
        training = _training(ledger, bench, plan=plan, settings=settings, progress=progress)
        rounds = Rounds(
            settings=settings,
            ledger=ledger,
            problem=plan.problem,
            design=plan.design,
            defaults=baselines(bench.backbone, bench.modules, limit=plan.allowed),
            progress=progress,
            build=sampler.build,
            training=training,
        )
        if rounds.run() and settings.confirm:
            _confirm(training, bench)
        return results.read(ledger)


def _training(
    ledger: Ledger, bench: Workbench, *, plan: Outline, settings: Settings, progress: Progress
) -> RungTraining:
    """What trains the trials, the time counted from now."""
    return RungTraining(
        evaluator=bench.evaluator,
        ledger=ledger,
        problem=plan.problem,
        objectives=plan.objectives,
        progress=progress,
        total=settings.trials or TRIALS[bench.checkpoint.device.type],
        deadline=time.monotonic() + (settings.timeout or math.inf),
        early_stopping=settings.early_stopping and settings.proxy != "none",
    )


def _confirm(training: RungTraining, bench: Workbench) -> None:
    """Train what matters most of the front and the defaults anew, as far as the time allows."""
    found = results.read(training.ledger)
    if found.front:
        most = max(CONFIRMED, len(found.trials) // TRIALS_PER_CONFIRMED)
        numbers = foremost(found, most=most)
        Confirming(training.ledger, bench, found, training.progress, training.deadline).run(
            numbers, seeds=LEAST_SEEDS
        )


def _existing(path: Path, settings: Settings, stack: ExitStack) -> Ledger | None:
    if not path.exists():
        return None
    if not path.is_file():
        raise StudyError(f"`{path}` is not a file", hint="name a file with `--study`")
    try:
        stack.enter_context(journal.locked(path))
    except OSError as error:
        raise StudyError(f"cannot open study `{path}`: {error.strerror}") from error
    ledger = Ledger.open(path)
    about.check(ledger.about, settings, str(path))
    return ledger


def _create(path: Path, bench: Workbench, plan: Outline, stack: ExitStack) -> Ledger:
    batch = BATCH[bench.checkpoint.device.type]
    facts = about.describe(bench, plan.problem.space, plan.objectives, batch=batch)
    ledger = Ledger.create(path, {n: o.direction for n, o in plan.objectives.items()}, facts)
    stack.enter_context(journal.locked(path))
    plan.remember(ledger)
    return ledger


def _introduce(progress: Progress, bench: Workbench, plan: Outline) -> None:
    """The space, the device and the protocol in words."""
    space, protocol = plan.problem.space, bench.evaluator.protocol
    how = f"{protocol.steps} steps of {protocol.batch} x up to {protocol.length} tokens"
    progress.fact("space", f"{space.name}: {len(space.dimensions)} dimensions")
    progress.fact("device", f"{about.device_name(bench.checkpoint.device)}, {how}")
