"""What fits: bounds hold, ranks are the largest, nothing of a big model is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopeft import catalog, fitting
from autopeft.errors import UsageError
from autopeft.training.memory_target import Target
from tests import tiny_models

TARGET = Target(4, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config without weights."""
    place = tmp_path_factory.mktemp("model")
    tiny_models.llama().config.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def planned(folder: Path) -> fitting.Predictor:
    return fitting.predictor(str(folder), TARGET, offline=True)


def test_the_largest_rank_fits_and_the_next_does_not(planned: fitting.Predictor) -> None:
    sites = [s for s in planned.backbone.sites if s.kind == "linear"]
    limit = planned.plain.predict(fitting._lora(planned.modules, sites, 5))
    found = fitting.plan(planned, catalog.spaces.load("lora"), limit=limit, percent=100)
    everywhere = found.largest[-1]
    assert everywhere.group == fitting.EVERYWHERE
    assert (everywhere.rank, everywhere.most) == (5, 16)
    assert everywhere.checkpointed > 5
    assert {one.group for one in found.largest} == {
        "attention_in",
        "attention_out",
        "mlp",
        fitting.EVERYWHERE,
    }


def test_a_limit_above_everything_or_below(planned: fitting.Predictor) -> None:
    spec = catalog.spaces.load("lora")
    everything = fitting.plan(planned, spec, limit=10**12, percent=50)
    assert everything.anything
    assert all(one.rank == one.most for one in everything.largest)
    assert all(need.parameters <= planned.backbone.parameters // 2 for need in everything.sample)
    assert any(need.checkpointed < need.memory for need in everything.sample)
    nothing = fitting.plan(planned, spec, limit=1, percent=50)
    assert not nothing.anything
    assert all(one.rank == one.checkpointed == 0 for one in nothing.largest)


def test_a_space_that_needs_weights_is_refused(planned: fitting.Predictor) -> None:
    with pytest.raises(UsageError, match="weights and data"):
        fitting.plan(planned, catalog.spaces.load("spt"), limit=1, percent=1)


@pytest.mark.parametrize("most", [1, 2, 7, 8])
def test_the_last_that_fits(most: int) -> None:
    assert [fitting._last(lambda n, c=cut: n <= c, most) for cut in range(most + 1)] == list(  # type: ignore[misc]
        range(most + 1)
    )
