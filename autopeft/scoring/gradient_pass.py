"""A pass over batches in which every weight's gradient is handed on and freed at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autopeft.errors import AutoPeftError, UsageError
from autopeft.types import Backbone

if TYPE_CHECKING:
    import torch

LOWEST_EXPONENT, DECADES, BINS_PER_DECADE = -30, 40, 10
BINS = DECADES * BINS_PER_DECADE
"""Of a logarithmic histogram of squared gradients; the last bins on either side are open."""


def linear_weights(
    model: torch.nn.Module, backbone: Backbone, *, method: str
) -> dict[str, torch.nn.Parameter]:
    """The weight of each linear site by the site's name.

    Raises:
        UsageError: a weight cannot have a gradient.
    """
    weights = {}
    for site in backbone.sites:
        if site.kind != "linear":
            continue
        weight = model.get_submodule(site.path).get_parameter("weight")
        if not weight.is_floating_point():
            raise UsageError(
                f"{method} needs gradients, but the weight of `{site.name}` is {weight.dtype}.",
                hint="Load the model without quantisation to score it.",
            )
        weights[site.name] = weight
    return weights


def over(
    model: torch.nn.Module,
    batches: Sequence[Callable[[], torch.Tensor]],
    weights: Sequence[torch.nn.Parameter],
    *,
    fold: Callable[[torch.nn.Parameter, torch.Tensor], None],
    method: str,
) -> None:
    """Call `fold` with every weight and its batch-mean gradient, batch after batch.

    The model is in eval mode meanwhile and comes back as it was, without gradients; on the device
    there is one gradient at a time.

    Raises:
        UsageError: no batch.
        AutoPeftError: a loss is not finite, or does not depend on the weights.
    """
    import torch

    if not batches:
        raise UsageError(
            f"{method} needs at least one batch to score the sites.",
            hint="Give it more training rows.",
        )
    with _folded(model, weights, fold), torch.enable_grad():
        for number, batch in enumerate(batches, start=1):
            _checked(batch(), number, method).backward()


@contextmanager
def _folded(
    model: torch.nn.Module,
    weights: Sequence[torch.nn.Parameter],
    fold: Callable[[torch.nn.Parameter, torch.Tensor], None],
) -> Iterator[None]:
    def take(weight: torch.Tensor) -> None:
        gradient, weight.grad = weight.grad, None
        if gradient is not None:
            fold(weight, gradient.detach())  # type: ignore[arg-type]

    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    modes = {module: module.training for module in model.modules()}
    model.requires_grad_(False).eval()
    hooks = []
    try:
        for weight in dict.fromkeys(weights):
            weight.grad = None
            weight.requires_grad_(True)
            hooks.append(weight.register_post_accumulate_grad_hook(take))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for weight in weights:
            weight.grad = None
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)
        for module, mode in modes.items():
            module.training = mode


def _checked(loss: torch.Tensor, number: int, method: str) -> torch.Tensor:
    """The loss, if it can be differentiated."""
    if not loss.requires_grad:
        raise AutoPeftError(
            f"The loss of batch {number} does not depend on any linear of the backbone.",
            hint="The closure must run the model that is scored, with gradients on.",
        )
    if not math.isfinite(loss.item()):
        raise _not_finite(f"The loss of batch {number}", loss.item(), method)
    return loss


def check_sums(sums: Mapping[str, float], *, method: str) -> None:
    """Whether the sum of every site is a number.

    Raises:
        AutoPeftError: it is not; names the site.
    """
    for name, value in sums.items():
        if not math.isfinite(value):
            raise _not_finite(f"A gradient at `{name}`", value, method)


def _not_finite(what: str, value: float, method: str) -> AutoPeftError:
    return AutoPeftError(
        f"{what} is not finite (`{value}`), so {method} cannot score the sites.",
        hint="Load the model in float32 or bfloat16, and look for broken rows in the data.",
    )


def bins_of(positive: torch.Tensor) -> torch.Tensor:
    """Histogram bin of each positive value."""
    return ((positive.log10() - LOWEST_EXPONENT) * BINS_PER_DECADE).long().clamp(0, BINS - 1)
