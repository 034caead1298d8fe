"""What a sampler is told: the space, the exact costs, the limits and the initial design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from autopeft.space.space import Space
from autopeft.types import Configuration, Direction, Placement, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Price:
    """What is known of a configuration before any training."""

    costs: tuple[float, ...]
    """Values of the objectives that are not modelled, in order, in their own units."""
    size: float
    """Parameters; budget-spread points are spread by it."""
    feasible: bool
    """Within every limit, and not empty."""


class LayerPrices(Protocol):
    """Prices that add up over layers, so that every content of a layer is counted once."""

    def of_layer(self, layer: int, placements: Sequence[Placement]) -> tuple[float, ...]:
        """What a layer with these placements contributes, as k numbers; k is always the same."""

    def total(self, layers: Sequence[int], parts: NDArray[np.float64]) -> list[Price]:
        """Prices of m configurations.

        Args:
            layers: indices of the layers that hold anything at all in the space, lowest first.
            parts: their contributions, shape m x layers x k.
        """


class Prior(Protocol):
    """What another study lets expect of the modelled objective; more is better, in any unit."""

    @property
    def width(self) -> int:
        """Traits of a placement."""

    def traits(self, placement: Placement) -> NDArray[np.float64]:
        """What a placement contributes, as `width` numbers that add up over placements."""

    def expected(
        self, traits: NDArray[np.float64], learning_rates: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The expectation for the traits [m, width] and learning rates [m] of m configurations."""

    def of(self, configuration: Configuration) -> float:
        """The expectation for one configuration."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A search as a sampler sees it. Two are the same only when they are one object.

    One objective is measured by training (`modelled`); the others are costs that are known
    exactly before any training.
    """

    space: Space
    directions: tuple[Direction, ...]
    """Of all objectives, in the order of a trial's values."""
    modelled: int
    """Index of the objective that is noisy and dear."""
    costs: Callable[[Configuration], tuple[float, ...]]
    """Values of the other objectives, in order, in their own units."""
    feasible: Callable[[Configuration], bool]
    """Within every limit, and not empty."""
    limits: tuple[float, ...]
    """Hard limit of each cost, in the order of `costs`; infinite where there is none."""
    design: tuple[Point, ...]
    """Points that are tried first, best guesses first."""
    seed: int
    stratify: Callable[[Configuration], float]
    """The size (in parameters) by which budget-spread points are spread."""
    layered: LayerPrices | None = None
    """The same prices counted layer by layer, where they can be; much faster."""
    worth: Callable[[Placement], float] | None = None
    """A guess from importance scores of what a placement adds to the modelled objective."""
    prior: Prior | None = None
    """What an earlier study lets expect."""

    def price(self, configuration: Configuration) -> Price:
        """The price of one configuration, counted whole."""
        feasible = self.feasible(configuration)
        costs = self.costs(configuration) if feasible else ()
        return Price(costs, self.stratify(configuration) if feasible else 0.0, feasible)
