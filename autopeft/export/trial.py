"""Export a trial of a study: its weights from the study, or trained again as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autopeft import catalog, weights
from autopeft.errors import StudyError
from autopeft.export.bundle import Bundle
from autopeft.export.writing import check_folder
from autopeft.export.writing import export as write
from autopeft.settings import Settings
from autopeft.study import about, results
from autopeft.study.ledger import Ledger
from autopeft.training.pack import Job, Pack
from autopeft.types import TrialRecord
from autopeft.workbench import Workbench, build

if TYPE_CHECKING:
    import torch


def export(
    path: Path,
    which: str,
    target: str,
    folder: Path,
    note: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write a trial for a target and check it by loading it back.

    Args:
        path: of the study.
        which: `best`, `knee`, `smallest` or a trial number.
        target: name of an exporter.
        folder: to write.
        note: told what is being done.

    Raises:
        UsageError: no such trial or target, or the folder is in use.
        StudyError: the study, or the data or the model it was made with, is not there any more.
        ExportError: the target cannot express the trial, or what was written differs.
    """
    exporter = catalog.exporters.load(target)
    ledger = Ledger.open(path)
    found = results.read(ledger)
    trial = results.choose(found, which)
    check_folder(folder)
    bench = build(Settings.restored(ledger.about["settings"]), note=note)
    now = {"data": bench.data.digest, "model": bench.checkpoint.digest}
    about.check_digests(ledger.about, now, str(path))
    bundle = bundle_of(path, trial, bench, note)
    note(f"writing trial {trial.number} and loading it back")
    return write(bundle, exporter, folder)


def bundle_of(
    path: Path, trial: TrialRecord, bench: Workbench, note: Callable[[str], None]
) -> Bundle:
    """The trial with its weights; trained again when the study did not keep them."""
    seed = int(trial.provenance["seeds"][0])
    initial = _initial(trial, bench, seed)
    trained = weights.load(path, trial.number)
    if trained.keys() != initial.keys():
        note(f"training trial {trial.number} again: its weights were not kept")
        evaluation = bench.evaluator.evaluate([trial.configuration])[0]
        if evaluation.failure:
            raise StudyError(f"trial {trial.number} cannot be trained again: {evaluation.failure}")
        trained = dict(evaluation.runs[0].paused.tensors)
    return Bundle(str(path), trial, bench, seed, initial, trained)


def _initial(trial: TrialRecord, bench: Workbench, seed: int) -> dict[str, torch.Tensor]:
    pack = Pack(
        bench.checkpoint.model,
        bench.backbone,
        [Job(trial.configuration, seed)],
        modules=bench.modules,
        head=bench.checkpoint.head,
    )
    return pack.export(0)
