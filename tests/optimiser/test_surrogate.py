import math

import numpy as np
import pytest
import torch

from autopeft.optimiser import hyperparameters, surrogate
from autopeft.optimiser.hyperparameters import Data
from autopeft.optimiser.kernel import Kernel


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


def elsewhere(count=50, seed=6):
    return torch.rand(count, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def posterior():
    return surrogate.fit(data(noise=0.1))


def test_the_kernel_is_matern_five_halves():
    kernel = Kernel(torch.tensor(2.0).double(), torch.tensor([0.5, 2.0]).double())
    a = torch.tensor([[0.0, 0.0], [0.3, 0.4]], dtype=torch.float64)
    r = math.sqrt(5 * ((0.3 / 0.5) ** 2 + (0.4 / 2) ** 2))
    expected = 2 * (1 + r + r * r / 3) * math.exp(-r)
    assert float(kernel(a, a)[0, 1]) == pytest.approx(expected)
    assert kernel(a, a).diagonal().tolist() == pytest.approx([2.0, 2.0])


def test_predictions_are_the_textbook_formula(posterior):
    rows = elsewhere(6)
    mean, deviation = posterior.mean_and_deviation(rows.numpy())
    k, x, fitted = posterior.kernel, posterior.rows, posterior.fitted
    inverse = torch.linalg.inv(k(x, x) + torch.diag(posterior.noise))
    cross = k(rows, x)
    expected = fitted.shift + fitted.scale * (fitted.mean + cross @ inverse @ posterior.residuals)
    variance = torch.diag(k(rows, rows) - cross @ inverse @ cross.T)
    assert torch.allclose(mean, expected, atol=1e-8)
    assert torch.allclose(deviation, fitted.scale * variance.sqrt(), rtol=1e-4)


def test_left_out_predictions_are_those_of_the_process_without_the_row(posterior):
    errors, deviations = posterior.surprises
    kept = [i for i in range(len(posterior.rows)) if i != 3]
    k, x = posterior.kernel, posterior.rows
    inverse = torch.linalg.inv(k(x[kept], x[kept]) + torch.diag(posterior.noise[kept]))
    cross = k(x[3:4], x[kept])
    predicted = cross @ inverse @ posterior.residuals[kept]
    variance = k(x[3:4], x[3:4]) - cross @ inverse @ cross.T + posterior.noise[3]
    assert float(errors[3]) == pytest.approx(float(posterior.residuals[3] - predicted), rel=1e-6)
    assert float(deviations[3]) == pytest.approx(float(variance) ** 0.5, rel=1e-6)


def test_it_learns_a_smooth_function(posterior):
    rows = elsewhere()
    mean, deviation = posterior.mean_and_deviation(rows.numpy())
    error = (mean - truth(rows)).square().mean().sqrt()
    assert float(error) < 0.3 * float(truth(rows).std())
    assert bool((deviation > 0).all())


def test_dimensions_without_effect_are_long(posterior):
    lengths = posterior.kernel.lengths
    assert float(lengths[2:].min()) > float(lengths[:2].max())


def test_believing_is_conditioning_on_the_predicted_mean(posterior):
    row = (0.9, 0.1, 0.5, 0.5)
    rows = np.array([row, (0.8, 0.2, 0.5, 0.5), (0.1, 0.9, 0.2, 0.3)])
    before, wide = posterior.mean_and_deviation(rows)
    after, narrow = posterior.believe(row).mean_and_deviation(rows)
    assert torch.allclose(after, before, atol=1e-6)
    assert bool((narrow < wide).all())


def test_the_same_data_give_the_same_process_whatever_was_drawn_before():
    first = surrogate.fit(data(12))
    surrogate.fit.cache_clear()
    torch.rand(5)
    second = surrogate.fit(data(12))
    assert first is not second
    assert torch.equal(first.kernel.lengths, second.kernel.lengths)
    assert first.fitted.noise == second.fitted.noise


def test_a_fit_leaves_torch_as_it_was():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        surrogate.fit(data(8))
        assert torch.get_num_threads() == 2
        assert torch.is_grad_enabled()
        assert torch.equal(state, torch.get_rng_state())
    finally:
        torch.set_num_threads(threads)


def test_most_new_trials_leave_the_hyperparameters_alone():
    small, large = (data(60).first(count) for count in (57, 58))
    first, second = surrogate.fit(small), surrogate.fit(large)
    assert torch.equal(first.kernel.lengths, second.kernel.lengths)
    assert len(second.rows) == 58
    refits = {surrogate.last_refit(count) for count in range(100, 200)}
    assert len(refits) < 12
    assert all(surrogate.last_refit(count) == count for count in range(1, 12))


def test_when_nothing_fits_there_is_no_process(monkeypatch):
    monkeypatch.setattr(hyperparameters, "fit", lambda data, columns: None)
    assert surrogate.fit(data(14)) is None


def differing(seed, *, signal, noise, count=20):
    """Values around 0.58 with a standard error of 0.01, as of trainings that hardly learn."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(count, 4, generator=generator, dtype=torch.float64)
    chance = torch.randn(count, generator=generator, dtype=torch.float64)
    shape = (truth(rows) - truth(rows).mean()) / truth(rows).std()
    values = 0.58 + noise * chance + signal * shape
    return Data(tuple(map(tuple, rows.tolist())), tuple(values.tolist()), (0.01,) * count, short=2)


def test_chance_alone_is_mostly_not_modelled_but_a_weak_signal_is():
    chance = [
        surrogate.fit_unless_chance(differing(seed, signal=0.0, noise=0.01)) for seed in range(12)
    ]
    weak = [
        surrogate.fit_unless_chance(differing(seed, signal=0.01, noise=0.01)) for seed in range(12)
    ]
    assert chance.count(None) >= 5
    assert weak.count(None) <= 2


def test_what_differs_less_than_its_errors_is_modelled_where_that_predicts_it():
    found = [
        surrogate.fit_unless_chance(differing(seed, signal=0.008, noise=0.004)) for seed in range(6)
    ]
    assert None not in found


def test_equal_values_with_known_errors_are_nothing_to_model():
    equal = Data(data(9).rows, (0.7,) * 9, (0.01,) * 9)
    assert surrogate.fit_unless_chance(equal) is None
    assert surrogate.fit_unless_chance(equal.first(1)) is not None


def test_equal_values_are_predicted_as_they_are():
    rows = data(9).rows
    found = surrogate.fit(Data(rows, (0.7,) * 9, (0.0,) * 9))
    mean, _ = found.mean_and_deviation(np.array(rows))
    assert mean.tolist() == pytest.approx([0.7] * 9, abs=1e-6)


def test_known_errors_are_where_the_noise_begins():
    spread = float(np.std(data(20).values))
    found = surrogate.fit(data(20, errors=0.3 * spread))
    assert found.fitted.noise > 0.02
    assert surrogate.fit(data(20)).fitted.noise < 0.01


def test_a_trial_with_more_replicates_is_trusted_more():
    values = data(10)
    errors = (0.05, *[0.1] * 9)
    found = surrogate.fit(Data(values.rows, values.values, errors))
    assert float(found.noise[0]) == pytest.approx(0.25 * float(found.noise[1]))


def test_an_unknown_error_counts_as_the_typical_one():
    values = data(10)
    found = surrogate.fit(Data(values.rows, values.values, (0.0, *[0.1] * 9)))
    assert float(found.noise[0]) == pytest.approx(float(found.noise[1]))


def test_a_run_that_collapsed_is_not_believed():
    clean = data(40)
    values = list(clean.values)
    values[7] -= 3.0
    found = surrogate.fit(Data(clean.rows, tuple(values), clean.errors))
    assert found.noise[7] > 100 * found.noise[8]
    mean, _ = found.mean_and_deviation(np.array(clean.rows)[7:8])
    assert float(mean[0]) == pytest.approx(clean.values[7], abs=0.3)


def scored(score):
    """Data in twelve dimensions of which a last column may tell the truth."""
    generator = torch.Generator().manual_seed(1)
    rows = torch.rand(40, 12, generator=generator, dtype=torch.float64)
    values = rows[:, :8] @ torch.linspace(0.5, 2.0, 8, dtype=torch.float64)
    column = values if score == "truth" else torch.rand(40, generator=generator).double()
    table = torch.cat([rows, column[:, None] / column.max()], dim=1)
    return Data(tuple(map(tuple, table.tolist())), tuple(values.tolist()), (0.0,) * 40, True)


def test_a_score_that_predicts_is_used_and_one_that_does_not_is_left_out():
    assert surrogate.fit(scored("truth")).fitted.columns == 13
    assert surrogate.fit(scored("chance")).fitted.columns == 12


def test_a_column_of_the_whole_configuration_may_bend_though_the_others_are_many():
    """As a learning rate does among many ranks: too low and too high are both bad."""
    generator = torch.Generator().manual_seed(2)
    rows = torch.rand(60, 40, generator=generator, dtype=torch.float64)
    values = -8 * (rows[:, 0] - 0.5).square() + 0.1 * rows[:, 1:].mean(dim=1)
    known, asked = rows[:25], rows[25:]
    errors = {}
    for short in (0, 1):
        table = tuple(map(tuple, known.tolist()))
        found = surrogate.fit(Data(table, tuple(values[:25].tolist()), (0.0,) * 25, short=short))
        mean, _ = found.mean_and_deviation(asked.numpy())
        errors[short] = float((mean - values[25:]).square().mean())
    assert errors[1] < 0.5 * errors[0]


def test_predictions_are_in_the_units_of_the_data():
    small, large = surrogate.fit(data(15)), surrogate.fit(data(15, scale=100.0))
    row = np.array([(0.3, 0.3, 0.3, 0.3)])
    for a, b in zip(small.mean_and_deviation(row), large.mean_and_deviation(row), strict=True):
        assert float(b) == pytest.approx(100 * float(a), rel=1e-2)
