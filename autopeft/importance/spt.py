"""SPT: sites by the number of their most sensitive weights (He et al., ICCV 2023, 2303.08566).

The sensitivity of a weight is the sum over batches of its squared batch-mean gradient. SPT takes
the tau most sensitive weights of the whole model, gives a matrix a structured module when enough
of them fall into it, and tunes the others one by one. Only its structured half is built here: a
matrix below the threshold stays frozen instead of getting a sparse mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopeft.errors import AutoPeftError, UsageError
from autopeft.types import Backbone, ImportanceMethod, Placement, Scores, Settings, Site

if TYPE_CHECKING:
    import numpy as np
    import torch

NAME = "spt"
LOWEST_EXPONENT, DECADES, BINS_PER_DECADE = -30, 40, 10
BINS = DECADES * BINS_PER_DECADE
TAUS = 1000
DEFAULTS: Settings = {"rank": 8, "threshold": 10.0, "scaling": 2.0}


# --- Scores -----------------------------------------------------------------------------------


def score(
    model: torch.nn.Module, backbone: Backbone, batches: Sequence[Callable[[], torch.Tensor]]
) -> Scores:
    """Sum of squared gradients of each linear site, and their histogram, from one pass.

    The model is in eval mode meanwhile and comes back as it was, without gradients. Needs one
    float32 number of CPU memory per weight, and on the device one gradient at a time.

    Raises:
        UsageError: no batch, or weights without gradients.
        AutoPeftError: a loss or a gradient is not finite.
    """
    import torch

    if not batches:
        raise UsageError(
            "SPT needs at least one batch to score the sites.", hint="Give it more training rows."
        )
    weights = _weights(model, backbone)
    squares = {weight: torch.zeros(weight.shape) for weight in weights.values()}
    with _folded_gradients(model, squares), torch.enable_grad():
        for number, batch in enumerate(batches, start=1):
            _checked(batch(), number).backward()
    sums = {name: float(squares[w].sum(dtype=torch.float64)) for name, w in weights.items()}
    _check_sums(sums)
    histogram = {name: _histogram(squares[weight]) for name, weight in weights.items()}
    return Scores(
        method=NAME,
        site=sums,
        provenance={"batches": len(batches)},
        detail={
            "histogram": histogram,
            "lowest_exponent": LOWEST_EXPONENT,
            "bins_per_decade": BINS_PER_DECADE,
        },
    )


def _weights(model: torch.nn.Module, backbone: Backbone) -> dict[str, torch.nn.Parameter]:
    """The weight of each linear site by the site's name."""
    weights = {}
    for site in backbone.sites:
        if site.kind != "linear":
            continue
        weight = model.get_submodule(site.path).get_parameter("weight")
        if not weight.is_floating_point():
            raise UsageError(
                f"SPT needs gradients, but the weight of `{site.name}` is {weight.dtype}.",
                hint="Load the model without quantisation to score it.",
            )
        weights[site.name] = weight
    return weights


@contextmanager
def _folded_gradients(
    model: torch.nn.Module, squares: Mapping[torch.nn.Parameter, torch.Tensor]
) -> Iterator[None]:
    """Meanwhile, every gradient of those weights is squared, added there and freed at once."""

    def fold(weight: torch.Tensor) -> None:
        gradient, weight.grad = weight.grad, None
        if gradient is not None:
            values = gradient.detach().cpu().float()
            squares[weight].addcmul_(values, values)  # type: ignore[index]

    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    modes = {module: module.training for module in model.modules()}
    model.requires_grad_(False).eval()
    hooks = []
    try:
        for weight in squares:
            weight.grad = None
            weight.requires_grad_(True)
            hooks.append(weight.register_post_accumulate_grad_hook(fold))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for weight in squares:
            weight.grad = None
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)
        for module, mode in modes.items():
            module.training = mode


def _checked(loss: torch.Tensor, number: int) -> torch.Tensor:
    """The loss, if it can be differentiated."""
    if not loss.requires_grad:
        raise AutoPeftError(
            f"The loss of batch {number} does not depend on any linear of the backbone.",
            hint="The closure must run the model that is scored, with gradients on.",
        )
    if not math.isfinite(loss.item()):
        raise _not_finite(f"The loss of batch {number}", loss.item())
    return loss


def _check_sums(sums: Mapping[str, float]) -> None:
    for name, value in sums.items():
        if not math.isfinite(value):
            raise _not_finite(f"A gradient at `{name}`", value)


def _not_finite(what: str, value: float) -> AutoPeftError:
    return AutoPeftError(
        f"{what} is not finite (`{value}`), so SPT cannot score the sites.",
        hint="Load the model in float32 or bfloat16, and look for broken rows in the data.",
    )


def _histogram(squares: torch.Tensor) -> list[int]:
    """How many positive values fall into each logarithmic bin; the last bins are open."""
    import torch

    counts = torch.zeros(BINS, dtype=torch.int64)
    for part in torch.split(squares.flatten(), 1 << 22):
        exponents = part[part > 0].log10() - LOWEST_EXPONENT
        bins = (exponents * BINS_PER_DECADE).long().clamp(0, BINS - 1)
        counts += torch.bincount(bins, minlength=BINS)
    return [int(count) for count in counts]


# --- Allocation -------------------------------------------------------------------------------


def allocate(
    scores: Scores, backbone: Backbone, budget: int, settings: Settings
) -> tuple[Placement, ...]:
    """LoRA on the sites that SPT structures, at the largest tau whose total fits the budget.

    A site gets LoRA of `rank` (default 8) when at least `rank (d_in + d_out) / threshold` of the
    tau most sensitive weights are in it (`threshold` 10 as in the release); tau runs over a
    logarithmic grid. What is left of the budget goes to further sites by their number of such
    weights, equal ones in site order. A site without any gradient gets nothing.

    Raises:
        UsageError: a setting out of range, or scores of another method or backbone.
    """
    import numpy as np

    settings = {**DEFAULTS, **settings}
    rank, threshold = _at_least_one(settings), _positive(settings)
    sites = _sensitive_sites(scores, backbone)
    if not sites or budget <= 0:
        return ()
    costs = np.array([rank * (site.in_features + site.out_features) for site in sites])
    counts = _counts(scores, sites)
    chosen = counts >= costs / threshold
    # A larger tau never drops a site, so that the totals only grow; at tau = 0 they are 0.
    tau = np.flatnonzero(chosen @ costs <= budget)[-1]
    taken = _filled(chosen[tau], counts[tau], costs=costs, budget=budget)
    lora = {"rank": rank, "scaling": float(settings["scaling"])}
    return tuple(Placement(sites[index].name, "lora", lora) for index in sorted(taken))


def _at_least_one(settings: Settings) -> int:
    rank = int(settings["rank"])
    if rank < 1:
        raise UsageError(f"The rank must be at least 1, not `{rank}`.", hint="SPT uses 8.")
    return rank


def _positive(settings: Settings) -> float:
    threshold = float(settings["threshold"])
    if not threshold > 0:
        raise UsageError(f"The threshold must be above 0, not `{threshold}`.", hint="SPT uses 10.")
    return threshold


def _sensitive_sites(scores: Scores, backbone: Backbone) -> list[Site]:
    """The linear sites with any gradient."""
    linears = [site for site in backbone.sites if site.kind == "linear"]
    histogram: Mapping[str, Any] = scores.detail.get("histogram", {})
    for site in linears:
        if site.name not in histogram:
            raise UsageError(
                f"The scores (`{scores.method}`) have no histogram of the site `{site.name}`.",
                hint="Score this backbone with SPT first.",
            )
    return [site for site in linears if any(histogram[site.name])]


def _counts(scores: Scores, sites: Sequence[Site]) -> np.ndarray:
    """How many of the tau most sensitive weights are in each site, [taus, sites].

    Within a histogram bin the weights are taken from all sites in proportion.
    """
    import numpy as np

    histogram = np.array([scores.detail["histogram"][site.name] for site in sites])
    above = np.cumsum(histogram[:, ::-1], axis=1)
    above = np.pad(above, ((0, 0), (1, 0)))
    total = above.sum(axis=0)
    taus = np.concatenate([[0.0], np.geomspace(1, total[-1], TAUS)])
    return np.stack([np.interp(taus, total, row) for row in above], axis=1)


def _filled(chosen: np.ndarray, counts: np.ndarray, *, costs: np.ndarray, budget: int) -> set[int]:
    """The chosen sites, and every other one that still fits, most sensitive weights first."""
    taken = {index for index in range(len(costs)) if chosen[index]}
    left = budget - sum(int(costs[index]) for index in taken)
    for index in sorted(range(len(costs)), key=lambda index: -counts[index]):
        if index not in taken and costs[index] <= left:
            taken.add(index)
            left -= int(costs[index])
    return taken


METHOD = ImportanceMethod(
    label="SPT sensitivity",
    paper="He et al., Sensitivity-Aware Visual Parameter-Efficient Fine-Tuning, ICCV 2023",
    score=score,
    allocate=allocate,
)
