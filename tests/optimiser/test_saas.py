"""The mixture that SAAS by NUTS gives, and the refusal where its extra is not installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from autopeft import catalog
from autopeft.errors import MissingError
from autopeft.optimiser import saas
from autopeft.optimiser.hyperparameters import Data, Hyperparameters
from autopeft.optimiser.kernel import Kernel
from autopeft.optimiser.surrogate import condition

ROWS = ((0.0, 0.1), (0.5, 0.9), (1.0, 0.4))
DATA = Data(ROWS, (0.1, 0.5, 0.3), (0.0,) * 3)
MAPS = Path("/proc/self/maps")
ELSEWHERE = np.array([(0.2, 0.2), (0.9, 0.8)])


def member(length, mean=0.0):
    kernel = Kernel(torch.tensor(1.0).double(), torch.tensor([length, length]).double())
    return condition(DATA, Hyperparameters(kernel, mean, 0.01, 0.0, 0.3, 0.2))


def test_a_mixture_of_equals_is_one_of_them():
    alone, mixed = member(0.7), saas.Mixture((member(0.7), member(0.7)))
    for a, b in zip(
        alone.mean_and_deviation(ELSEWHERE), mixed.mean_and_deviation(ELSEWHERE), strict=True
    ):
        assert torch.allclose(a, b)


def test_members_that_disagree_are_less_certain_than_each():
    members = (member(0.7, mean=-3.0), member(0.7, mean=3.0))
    means = [one.mean_and_deviation(ELSEWHERE) for one in members]
    mean, deviation = saas.Mixture(members).mean_and_deviation(ELSEWHERE)
    assert torch.allclose(mean, (means[0][0] + means[1][0]) / 2)
    assert bool((deviation > means[0][1]).all())


def test_believing_reaches_every_member():
    mixture = saas.Mixture((member(0.3), member(0.9))).believe((0.2, 0.2))
    _, before = saas.Mixture((member(0.3), member(0.9))).mean_and_deviation(ELSEWHERE)
    _, after = mixture.mean_and_deviation(ELSEWHERE)
    assert float(after[0]) < float(before[0])


@pytest.mark.parametrize("missing", ["jax", "numpyro"])
def test_without_the_extra_it_is_refused_in_a_sentence(missing, monkeypatch):
    monkeypatch.setattr(saas, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(MissingError, match="jax and numpyro") as caught:
        catalog.samplers.load("saas").require()
    assert "autopeft[nuts]" in caught.value.hint


@pytest.mark.skipif(find_spec("numpyro") is None, reason="the extra `nuts` is not installed")
def test_samples_are_processes_that_predict_the_data(monkeypatch):
    monkeypatch.setattr(saas, "WARM_UP", 16)
    monkeypatch.setattr(saas, "SAMPLES", 8)
    found = saas.fit(Data(ROWS * 3, DATA.values * 3, (0.0,) * 9))
    assert found is not None
    mean, deviation = found.mean_and_deviation(np.array(ROWS))
    assert bool((deviation > 0).all())
    assert float(mean[1]) > float(mean[0])


@pytest.mark.skipif(find_spec("numpyro") is None, reason="the extra `nuts` is not installed")
@pytest.mark.skipif(not MAPS.exists(), reason="memory maps are counted on Linux only")
def test_fits_do_not_pile_up_until_the_process_has_no_maps_left(monkeypatch):
    for name in ("WARM_UP", "SAMPLES"):
        monkeypatch.setattr(saas, name, 4)
    counts = []
    for size in (8, 9, 10):
        rows = torch.rand(size, 2, generator=torch.manual_seed(size)).double()
        saas.sampled(rows, rows.sum(dim=1))
        counts.append(len(MAPS.read_text().splitlines()))
    assert counts[-1] < counts[0] + 200


@pytest.mark.skipif(find_spec("numpyro") is None, reason="the extra `nuts` is not installed")
def test_padding_leaves_the_density_of_the_hyperparameters_as_it_is():
    import jax.numpy as jnp
    from botorch.models.fully_bayesian import SaasPyroModel
    from numpyro.infer.util import log_density

    from autopeft.optimiser import nuts

    rows = torch.rand(12, 2, generator=torch.manual_seed(0)).double()
    values = rows.sum(dim=1, keepdim=True)
    plain = SaasPyroModel()
    plain.set_inputs(rows, values)
    padded = nuts.PaddedSaas(*nuts.padded(rows.numpy(), values[:, 0].numpy()))

    def change(model):
        low, high = (
            log_density(
                model.sample,
                (),
                {},
                {
                    "outputscale": jnp.array(scale),
                    "mean": jnp.array(0.3),
                    "noise": jnp.array(0.1),
                    "kernel_tausq": jnp.array(0.5),
                    "_kernel_inv_length_sq": jnp.array([0.7, scale]),
                },
            )[0]
            for scale in (0.5, 2.0)
        )
        return float(high - low)

    assert change(padded) == pytest.approx(change(plain), rel=1e-4)
    assert abs(change(plain)) > 0.1


@pytest.mark.skipif(find_spec("numpyro") is None, reason="the extra `nuts` is not installed")
def test_samples_that_are_not_finite_are_no_fit(monkeypatch):
    from autopeft.optimiser import nuts

    monkeypatch.setattr(nuts, "_compiled", lambda *_, **__: {"mean": np.array([np.nan])})
    assert saas.fit(Data(ROWS * 4, DATA.values * 4, (0.0,) * 12)) is None
