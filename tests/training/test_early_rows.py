"""Before the last step, only some rows are scored, and each as it would be among all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autopeft import catalog
from autopeft.training.batches import sample
from autopeft.training.loop import Trained, train
from autopeft.training.pack import Pack
from tests.training.test_pack import build, head_of
from tests.training.test_resumption import PROTOCOL, jobs_of
from tests.training.test_trunk_cache import split

ROWS = 7


@pytest.mark.parametrize(
    ("rows", "most", "expected"),
    [(7, 3, [0, 2, 4]), (4, 4, [0, 1, 2, 3]), (3, 128, [0, 1, 2]), (5, 1, [0]), (0, 4, [])],
)
def test_a_sample_is_spread_over_the_split(rows: int, most: int, expected: list[int]) -> None:
    assert sample(rows, most) == expected


def scored(early_rows: int) -> list[Trained]:
    """A pack of three with a rung half way."""
    model, backbone = build("bert")
    jobs = jobs_of(backbone, "mixed")
    return train(
        model,
        Pack(model, backbone, jobs, modules=catalog.modules.all(), head=head_of(model)),
        task=catalog.tasks.load("text_classification"),
        protocol=replace(PROTOCOL, early_rows=early_rows),
        splits=(split("train", 30), split("validation", ROWS)),
    )


def test_an_early_rung_scores_a_sample_and_the_last_one_everything() -> None:
    for some, every in zip(scored(3), scored(ROWS), strict=True):
        assert [len(rung.predictions) for rung in some.rungs] == [3, ROWS]
        assert [len(rung.predictions) for rung in every.rungs] == [ROWS, ROWS]
        expected = every.rungs[0].predictions[sample(ROWS, 3)]
        torch.testing.assert_close(some.rungs[0].predictions, expected)
        torch.testing.assert_close(some.rungs[1].predictions, every.rungs[1].predictions)
