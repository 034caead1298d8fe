"""The proof that an export works: the same rows give the same logits as when it was trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopeft import checkpoint
from autopeft.adapters import adapter_file
from autopeft.errors import ExportError
from autopeft.export.bundle import Bundle

if TYPE_CHECKING:
    import torch

ROWS = 8
"""Rows of the validation split that are compared."""
TOLERANCE = 1e-4
"""Largest difference of a logit, as a share of the largest logit, in float32."""
FLOOR = 0.05
"""Logits below this are not told apart any finer."""


@contextmanager
def quiet() -> Iterator[None]:
    """No notes on loading, and no warnings of one library about how another uses it."""
    with warnings.catch_warnings(), checkpoint.quiet():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def fresh(bundle: Bundle) -> Any:
    """The base model as a user loads it, in float32 on the CPU, with the names of the classes.

    Raises:
        ExportError: the checkpoint is no longer the one that was searched.
        MissingError: the checkpoint cannot be loaded any more.
    """
    bench = bundle.workbench
    loaded = checkpoint.load(
        bench.checkpoint.source,
        architecture=bench.task.architecture,
        outputs=bench.task.outputs(bench.data),
        offline=bench.settings.offline,
    )
    _check_same(bundle, loaded.model)
    classes = bench.data.classes
    if classes:
        loaded.model.config.id2label = dict(enumerate(classes))
        loaded.model.config.label2id = {name: i for i, name in enumerate(classes)}
    return loaded.model


def _check_same(bundle: Bundle, model: Any) -> None:
    searched = bundle.workbench.checkpoint
    then, now = (
        adapter_file.digest_of(m, searched.head, searched.dtype) for m in (searched.model, model)
    )
    if then != now:
        raise ExportError(
            f"the weights in `{searched.source}` are no longer those that were searched",
            hint="restore the checkpoint, or search again",
        )


def expected(bundle: Bundle, model: Any, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Logits [rows, C] of the trial with those weights, by the code that searched it."""
    import torch

    from autopeft.training.pack import Job, Pack

    bench = bundle.workbench
    job = Job(bundle.trial.configuration, bundle.seed)
    head = bench.checkpoint.head
    pack = Pack(model, bench.backbone, [job], modules=bench.modules, head=head)
    pack.restore(0, tensors)
    with pack.attached(model), torch.no_grad():
        return pack.logits(model, _batch(bundle))[0]


def compare(bundle: Bundle, model: Any, reference: torch.Tensor, *, what: str) -> None:
    """ExportError when the model's logits are not the reference's; `what` names the export."""
    import torch

    with torch.no_grad():
        found = model.eval()(**_batch(bundle)).logits.reshape(reference.shape)
    scale = max(float(reference.abs().max()), FLOOR)
    difference = float((found - reference).abs().max()) / scale
    if not difference <= TOLERANCE:
        raise ExportError(
            f"{what} does not compute what trial {bundle.trial.number} computes: "
            f"its logits differ by {difference:.1e} of their size",
            hint="please report this with the output of `autopeft doctor`",
        )


def _batch(bundle: Bundle) -> dict[str, torch.Tensor]:
    split = bundle.workbench.evaluator.splits[1]
    rows = split.batch(list(range(min(ROWS, len(split)))))
    return {name: value.cpu() for name, value in rows.items()}
