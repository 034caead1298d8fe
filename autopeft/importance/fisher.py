"""Empirical Fisher information: squared gradients of every example, summed over a site's weights.

SPT squares the gradient of a batch, where examples cancel; the Fisher information squares that of
each example. The squared norm of an example's gradient `sum_t g_t x_t^T` is the sum over pairs of
tokens of `(x_s . x_t) (g_s . g_t)`, so that no gradient of a weight is ever made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopeft.errors import AutoPeftError, UsageError
from autopeft.scoring.scoring import Scoring
from autopeft.training.handles import held
from autopeft.types import ImportanceMethod, Scores

if TYPE_CHECKING:
    import torch

NAME = "fisher"


def score(scoring: Scoring) -> Scores:
    """Mean over examples of the squared norm of the loss's gradient, for each linear site.

    Raises:
        UsageError: no batch.
        AutoPeftError: a gradient is not finite.
    """
    import torch

    if not scoring.batches:
        raise UsageError("the Fisher information needs a batch", hint="give it more training rows")
    sums = dict.fromkeys((site.name for site in scoring.linears), 0.0)
    examples = 0
    with _squares(scoring, sums) as seen, torch.enable_grad():
        for batch in scoring.batches:
            seen.clear()
            batch().backward()
            examples += max(seen, default=0)
    for name, value in sums.items():
        if not math.isfinite(value):
            hint = "load the model in float32 or bfloat16, and look for broken rows in the data"
            raise AutoPeftError(f"a gradient at `{name}` is not finite (`{value}`)", hint=hint)
    found = {name: value / max(1, examples) for name, value in sums.items()}
    return Scores(NAME, found, {"batches": len(scoring.batches), "examples": examples})


@contextmanager
def _squares(scoring: Scoring, sums: dict[str, float]) -> Iterator[set[int]]:
    """Meanwhile every backward pass adds to the sums; gives the numbers of examples seen."""
    seen: set[int] = set()

    def watch(name: str) -> Any:
        def forward(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
            # With everything frozen, a gradient begins at the lowest outputs.
            if not output.requires_grad:
                output.requires_grad_(True)
            entered = args[0].detach()

            def backward(gradient: torch.Tensor) -> None:
                seen.add(len(gradient))
                sums[name] += _per_example(entered, gradient * len(gradient))

            output.register_hook(backward)

        return forward

    hooks = [
        scoring.model.get_submodule(site.path).register_forward_hook(watch(site.name))
        for site in scoring.linears
    ]
    with held(hooks):
        yield seen


def _per_example(entered: torch.Tensor, gradient: torch.Tensor) -> float:
    """Sum over examples of |sum_t g_t x_t^T|^2; [B, ..., d_in] and [B, ..., d_out]."""
    import torch

    x = entered.reshape(len(entered), -1, entered.shape[-1]).float()
    g = gradient.reshape(len(gradient), -1, gradient.shape[-1]).float()
    pairs = torch.bmm(x, x.transpose(1, 2)) * torch.bmm(g, g.transpose(1, 2))
    return float(pairs.sum(dtype=torch.float64))


METHOD = ImportanceMethod(
    label="empirical Fisher information: squared gradients of every example",
    paper="Amari, Natural Gradient Works Efficiently in Learning, 1998; labels of the data",
    score=score,
    allocator="ranks",
    cost="a few gradient passes",
)
