import math
import warnings

import pytest
import torch

from autopeft.optimiser import kernel, surrogate
from autopeft.optimiser.surrogate import Data

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
    from botorch.exceptions.errors import ModelFittingError
    from botorch.models import SingleTaskGP
    from botorch.models.map_saas import AdditiveMapSaasSingleTaskGP


def data(count=25, dimensions=4, noise=0.0, scale=1.0, errors=0.0):
    generator = torch.Generator().manual_seed(count)
    rows = torch.rand(count, dimensions, generator=generator, dtype=torch.float64)
    jitter = noise * torch.randn(count, generator=generator, dtype=torch.float64)
    values = scale * (truth(rows) + jitter)
    return Data(
        tuple(tuple(row) for row in rows.tolist()), tuple(values.tolist()), (errors,) * count
    )


def truth(rows):
    return torch.sin(3 * rows[:, 0]) + rows[:, 1].square()


@pytest.fixture(scope="module")
def posterior():
    return surrogate.fit(data(noise=0.1), 1)


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(surrogate, "STEPS", 20)


@pytest.mark.parametrize("additive", [True, False])
def test_the_dense_kernel_is_the_kernel_of_the_model(additive):
    torch.manual_seed(0)
    a, b = torch.rand(7, 3, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64)
    kind = AdditiveMapSaasSingleTaskGP if additive else SingleTaskGP
    model = kind(a, torch.randn(7, 1, dtype=torch.float64))
    dense = (kernel.additive if additive else kernel.single)(model.covar_module)
    with torch.no_grad():
        expected = model.covar_module(a, b).to_dense()
        prior = model.covar_module(a, diag=True)
    assert torch.allclose(dense(a, b), expected, atol=1e-6)
    assert torch.allclose(torch.full_like(prior, dense.variance), prior)


def test_predictions_are_the_textbook_formula(posterior):
    rows = torch.rand(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    mean, deviation = posterior.mean_and_deviation([tuple(r) for r in rows.tolist()])
    k, x = posterior.kernel, posterior.rows
    inverse = torch.linalg.inv(k(x, x) + torch.diag(posterior.noise))
    cross = k(rows, x)
    expected = posterior.centre + posterior.scale * cross @ inverse @ posterior.residuals
    variance = torch.diag(k(rows, rows) - cross @ inverse @ cross.T)
    assert torch.allclose(mean, expected, atol=1e-8)
    assert torch.allclose(deviation, posterior.scale * variance.sqrt(), rtol=1e-4)


def test_it_learns_a_smooth_function(posterior):
    rows = torch.rand(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    mean, deviation = posterior.mean_and_deviation([tuple(r) for r in rows.tolist()])
    error = (mean - truth(rows)).square().mean().sqrt()
    assert float(error) < 0.3 * float(truth(rows).std())
    assert bool((deviation > 0).all())


def test_believing_is_conditioning_on_the_predicted_mean(posterior):
    row = (0.9, 0.1, 0.5, 0.5)
    elsewhere = [row, (0.8, 0.2, 0.5, 0.5), (0.1, 0.9, 0.2, 0.3)]
    before, wide = posterior.mean_and_deviation(elsewhere)
    after, narrow = posterior.believe(row).mean_and_deviation(elsewhere)
    x = torch.cat([posterior.rows, torch.tensor([row], dtype=torch.float64)])
    y = torch.cat([posterior.residuals, (before[:1] - posterior.centre) / posterior.scale])
    noise = torch.cat([posterior.noise, torch.tensor([posterior.believed_noise])]).double()
    cross = posterior.kernel(torch.tensor(elsewhere, dtype=torch.float64), x)
    refit = cross @ torch.linalg.solve(posterior.kernel(x, x) + torch.diag(noise), y)
    assert torch.allclose(after, posterior.centre + posterior.scale * refit, atol=1e-8)
    assert torch.allclose(after, before, atol=1e-6)
    assert bool((narrow < wide).all())


@pytest.mark.usefixtures("brief")
def test_the_same_data_and_seed_give_the_same_process():
    first = surrogate.fit(data(12), 3)
    surrogate.fit.cache_clear()
    torch.rand(5)
    second = surrogate.fit(data(12), 3)
    assert first is not second
    assert torch.equal(first.kernel.lengths, second.kernel.lengths)
    assert first.believed_noise == second.believed_noise


@pytest.mark.usefixtures("brief")
def test_a_fit_leaves_torch_as_it_was():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        surrogate.fit(data(8), 11)
        assert torch.get_num_threads() == 2
        assert torch.equal(state, torch.get_rng_state())
    finally:
        torch.set_num_threads(threads)


def failing(*, additive_only):
    fitted = surrogate._fitted

    def fail(rows, values, *, floor, additive):
        if additive or not additive_only:
            raise ModelFittingError("no luck")
        return fitted(rows, values, floor=floor, additive=additive)

    return fail


def test_a_failed_fit_falls_back_to_the_plain_model(monkeypatch):
    monkeypatch.setattr(surrogate, "_fitted", failing(additive_only=True))
    found = surrogate.fit(data(13), 0)
    assert found is not None
    assert not found.kernel.matern


def test_when_nothing_fits_there_is_no_process(monkeypatch):
    monkeypatch.setattr(surrogate, "_fitted", failing(additive_only=False))
    assert surrogate.fit(data(14), 0) is None


@pytest.mark.usefixtures("brief")
def test_equal_values_are_predicted_as_they_are():
    rows = data(9).rows
    found = surrogate.fit(Data(rows, (0.7,) * 9, (0.0,) * 9), 0)
    mean, _ = found.mean_and_deviation(rows)
    assert mean.tolist() == pytest.approx([0.7] * 9, abs=1e-6)


@pytest.mark.usefixtures("brief")
def test_known_errors_are_the_least_noise():
    values = data(20, noise=0.0)
    spread = torch.tensor(values.values).std(unbiased=False).item()
    found = surrogate.fit(data(20, errors=0.3 * spread), 0)
    assert found.believed_noise >= 0.09 * 0.999
    assert surrogate.fit(values, 0).believed_noise < 0.05


@pytest.mark.usefixtures("brief")
def test_a_row_with_a_larger_error_is_trusted_less():
    values = data(10)
    errors = (0.5, *[0.0] * 9)
    found = surrogate.fit(Data(values.rows, values.values, errors), 0)
    assert found.noise[0] >= found.noise[1:].max()


@pytest.mark.usefixtures("brief")
def test_predictions_are_in_the_units_of_the_data():
    small, large = surrogate.fit(data(15), 0), surrogate.fit(data(15, scale=100.0), 0)
    row = [(0.3, 0.3, 0.3, 0.3)]
    for a, b in zip(small.mean_and_deviation(row), large.mean_and_deviation(row), strict=True):
        assert float(b) == pytest.approx(100 * float(a), rel=1e-2)
    assert math.isfinite(large.centre)
