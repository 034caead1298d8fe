import pytest
import torch
from scipy.stats import yeojohnson

from autopeft.optimiser import warping

VALUES = torch.tensor([-40.0, -3.0, -1.0, -1e-9, 0.0, 0.2, 1.0, 5.0], dtype=torch.float64)
POWERS = (0.01, 0.5, 1.0, 1.6, 1.99)


def tensor(power):
    return torch.tensor(power, dtype=torch.float64)


@pytest.mark.parametrize("power", POWERS)
def test_it_is_the_transformation_of_yeo_and_johnson(power):
    expected = yeojohnson(VALUES.numpy(), power)
    assert warping.warped(VALUES, tensor(power)).tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("power", POWERS)
def test_it_can_be_undone(power):
    back = warping.unwarped(warping.warped(VALUES, tensor(power)), tensor(power))
    assert back.tolist() == pytest.approx(VALUES.tolist(), abs=1e-8)


@pytest.mark.parametrize("power", POWERS)
def test_every_value_has_an_inverse(power):
    far = torch.tensor([-50.0, 50.0], dtype=torch.float64)
    back = warping.unwarped(far, tensor(power))
    assert bool(back.isfinite().all())
    assert warping.warped(back, tensor(power)).tolist() == pytest.approx(far.tolist(), rel=1e-6)


@pytest.mark.parametrize("power", POWERS)
def test_the_stretch_is_the_derivative(power):
    values = VALUES.clone().requires_grad_()
    warping.warped(values, tensor(power)).sum().backward()
    assert warping.stretch(VALUES, tensor(power)).tolist() == pytest.approx(values.grad.tolist())


def test_power_one_changes_nothing():
    assert warping.warped(VALUES, tensor(1.0)).tolist() == pytest.approx(VALUES.tolist())
    assert warping.stretch(VALUES, tensor(1.0)).tolist() == [1.0] * len(VALUES)
