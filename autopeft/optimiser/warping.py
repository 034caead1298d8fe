"""Output warping: the scale on which values look like draws from one Gaussian process.

Trainings that learn nothing all score about the same, and so do the best ones, while those between
differ a lot. A stationary process takes such differences for its usual ones and follows noise where
values hardly differ. The power transformation of Yeo and Johnson (Biometrika, 2000), whose power is
fitted together with the process (Snelson et al., NeurIPS 2003), stretches one end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def warped(values: Tensor, power: Tensor) -> Tensor:
    """Standardised values on the scale of the process.

    Args:
        values: any shape; a positive value becomes `((1 + value)^power - 1) / power`, and a
            negative one likewise with `2 - power`, mirrored.
        power: between 0 and 2, exclusive; 1 changes nothing, more stretches the upper end.
    """
    import torch

    upper = ((1 + values.clamp_min(0)) ** power - 1) / power
    lower = (1 - (1 - values.clamp_max(0)) ** (2 - power)) / (2 - power)
    return torch.where(values >= 0, upper, lower)


def unwarped(values: Tensor, power: Tensor) -> Tensor:
    """The inverse of `warped`; defined for every value."""
    import torch

    upper = (1 + power * values.clamp_min(0)) ** (1 / power) - 1
    lower = 1 - (1 - (2 - power) * values.clamp_max(0)) ** (1 / (2 - power))
    return torch.where(values >= 0, upper, lower)


def stretch(values: Tensor, power: Tensor) -> Tensor:
    """Derivative of `warped`: by how much differences near each value grow."""
    import torch

    upper = (1 + values.clamp_min(0)) ** (power - 1)
    lower = (1 - values.clamp_max(0)) ** (1 - power)
    return torch.where(values >= 0, upper, lower)
