"""Expected hypervolume improvement in closed form, for one modelled objective and exact costs.

With exact costs the improvement is a sum over the cells that the front cuts the cost space into:
the part of a cell that a candidate's costs dominate, times the expected improvement over the best
value that the front already reaches there. One cost gives the steps of a staircase, two give the
cells of a plane, none gives plain expected improvement. Everything is kept in logarithms (Ament et
al., NeurIPS 2023), so that candidates far from the front are still ordered.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopeft import pareto
from autopeft.types import Direction

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 500_000
"""Most pairs of candidate and cell that are held at once."""
FAR = -1e3
"""Below this many deviations the tail is expanded, because its closed form cancels."""


@dataclass(frozen=True)
class Cells:
    """The cost space below the reference, in m boxes over each of which the front is level."""

    lower: Tensor
    """Shape m x costs; minus infinity below the cheapest point of the front."""
    upper: Tensor
    heights: Tensor
    """Distinct values that the front reaches, ascending."""
    level: Tensor
    """Index into `heights`, one per box."""


def cells(
    costs: Sequence[Sequence[float]],
    values: Sequence[float],
    *,
    reference: Sequence[float],
    floor: float,
) -> Cells:
    """The boxes between the front of the given points and the reference.

    Args:
        costs: Costs of every point, smaller is better.
        values: The modelled objective at every point, larger is better.
        reference: Worst cost that counts, one per cost, finite.
        floor: Lowest value that counts, where no point is cheap enough.
    """
    import torch

    kept = _front(costs, values, reference=reference, floor=floor)
    axes = []
    for axis, limit in enumerate(reference):
        edges = [-math.inf, *sorted({costs[i][axis] for i in kept}), limit]
        axes.append(list(itertools.pairwise(edges)))
    boxes = list(itertools.product(*axes))
    sides = torch.tensor(boxes, dtype=torch.float64).reshape(len(boxes), len(reference), 2)
    points = torch.tensor([costs[i] for i in kept], dtype=torch.float64)
    reached = torch.tensor([floor, *(values[i] for i in kept)], dtype=torch.float64)
    within = (points.reshape(1, len(kept), len(reference)) <= sides[:, None, :, 0]).all(dim=-1)
    at_least_floor = torch.cat([within.new_ones(len(boxes), 1), within], dim=1)
    best = reached.where(at_least_floor, -math.inf).amax(dim=1)
    heights, level = torch.unique(best, return_inverse=True)
    return Cells(sides[..., 0], sides[..., 1], heights, level)


def _front(
    costs: Sequence[Sequence[float]],
    values: Sequence[float],
    *,
    reference: Sequence[float],
    floor: float,
) -> list[int]:
    """Indices of the points that no other point makes useless, within reference and floor."""
    inside = [
        i
        for i, (cost, value) in enumerate(zip(costs, values, strict=True))
        if value > floor and all(c < limit for c, limit in zip(cost, reference, strict=True))
    ]
    directions: list[Direction] = ["maximize"]
    directions += ["minimize" for _ in reference]
    return [inside[i] for i in pareto.front([(values[i], *costs[i]) for i in inside], directions)]


def volume(front: Cells) -> float:
    """Hypervolume that the front reaches above the floor and below the reference."""
    heights = front.heights[front.level] - front.heights[0]
    reached = heights > 0
    sides = (front.upper - front.lower)[reached]
    return float((sides.prod(dim=-1) * heights[reached]).sum())


def log_improvement(mean: Tensor, deviation: Tensor, costs: Tensor, front: Cells) -> Tensor:
    """Logarithm of the expected hypervolume improvement of each candidate.

    Args:
        mean: Posterior means, shape n, larger is better.
        deviation: Posterior standard deviations, shape n, positive.
        costs: Exact costs, shape n x costs, smaller is better.
        front: What is already reached.
    """
    import torch

    size = max(1, CHUNK // len(front.level))
    parts = (slice(start, start + size) for start in range(0, len(mean), size))
    return torch.cat([_log_improvement(mean[p], deviation[p], costs[p], front) for p in parts])


def _log_improvement(mean: Tensor, deviation: Tensor, costs: Tensor, front: Cells) -> Tensor:
    sides = front.upper - front.lower.maximum(costs[:, None, :])
    volumes = sides.clamp_min(0).prod(dim=-1)
    shape = (len(mean), len(front.heights))
    by_height = volumes.new_zeros(shape).index_add_(1, front.level, volumes)
    z = (mean[:, None] - front.heights) / deviation[:, None]
    return (by_height.log() + deviation[:, None].log() + log_h(z)).logsumexp(dim=1)


def log_h(z: Tensor) -> Tensor:
    """Logarithm of `pdf(z) + z cdf(z)` of the standard normal, accurate for every z."""
    import torch

    log_pdf = -0.5 * z.square() - 0.5 * math.log(2 * math.pi)
    near = z.clamp_min(-1.0)
    pdf = near.square().mul(-0.5).exp() / math.sqrt(2 * math.pi)
    direct = pdf + near * torch.special.ndtr(near)
    tail = z.clamp(FAR, -1.0)
    mills = math.sqrt(math.pi / 2) * torch.special.erfcx(-tail / math.sqrt(2))
    far = z.clamp_max(FAR)
    expanded = -2 * (-far).log() + torch.log1p(-3 / far.square())
    beyond = torch.where(z < FAR, expanded, torch.log1p(tail * mills))
    return torch.where(z > -1.0, direct.log(), log_pdf + beyond)
