"""Fisher against plain autograd example by example, and SPT's light form against SPT."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autopeft import catalog
from autopeft.scoring.comparison import rank_correlation
from tests import toy_task


def test_fisher_is_the_mean_squared_gradient_of_single_examples() -> None:
    scoring = toy_task.scoring()
    found = catalog.importance.load("fisher").score(scoring)
    weights = [scoring.model.get_submodule(site.path).weight for site in scoring.linears]
    expected = torch.zeros(len(weights), dtype=torch.float64)
    rows = [row for batch in scoring.rows(8) for row in batch]
    scoring.model.requires_grad_(True)
    for row in rows:
        with scoring.trained_head.attached(scoring.model):
            loss = scoring.losses(scoring.trained_head, [row])[0]
        gradients = torch.autograd.grad(loss, weights)
        expected += torch.stack([g.double().square().sum() for g in gradients])
    torch.testing.assert_close(
        torch.tensor(list(found.site.values()), dtype=torch.float64),
        expected / len(rows),
        rtol=1e-3,
        atol=0,
    )
    assert found.provenance["examples"] == len(rows)


def test_the_light_form_has_the_same_sums_and_nearly_the_same_histogram() -> None:
    scoring = toy_task.scoring()
    full = catalog.importance.load("spt").score(scoring)
    light = catalog.importance.load("spt_light").score(scoring)
    for name, value in full.site.items():
        assert light.site[name] == pytest.approx(value, rel=1e-5)
    middle = np.arange(400)
    for name, mine in light.detail["histogram"].items():
        theirs = full.detail["histogram"][name]
        assert sum(mine) == sum(theirs)
        assert abs(np.average(middle, weights=mine) - np.average(middle, weights=theirs)) < 8


def test_the_light_form_is_exact_where_the_squares_have_rank_one() -> None:
    from autopeft.importance.spt_light import _histogram

    rows, columns = torch.tensor([1.05e-8, 1.05e-4, 0.0]), torch.tensor([2.0, 3.0])
    made = torch.outer(rows, columns)
    found = _histogram(made.sum(1).double(), made.sum(0).double())
    positive = made[made > 0]
    expected = np.floor((np.log10(positive.numpy()) + 30) * 10).astype(int)
    assert sum(found) == 4
    assert all(min(abs(i - e) for e in expected) <= 1 for i, n in enumerate(found) if n)


@pytest.mark.parametrize("method", ["spt", "spt_light", "fisher"])
def test_the_same_seed_gives_the_same_scores_and_leaves_no_trace(method: str) -> None:
    scoring = toy_task.scoring()
    before = {k: v.clone() for k, v in scoring.model.state_dict().items()}
    first = catalog.importance.load(method).score(scoring)
    again = catalog.importance.load(method).score(toy_task.scoring())
    assert first.site == again.site
    assert all(torch.equal(v, before[k]) for k, v in scoring.model.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in scoring.model.parameters())
    assert rank_correlation(first.site, again.site) == pytest.approx(1)
