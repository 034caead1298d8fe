"""What an earlier study teaches a new one: a prior on its scores.

The other study may be about another task or another backbone: a layer is known by its relative
depth, a site by its role. A Gaussian process on the scores of the earlier study, standardised,
is the prior; how far it is followed is decided by the new study's own trials
(`optimiser/guided.py`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autopeft.errors import UsageError
from autopeft.optimiser import surrogate
from autopeft.optimiser.hyperparameters import Data
from autopeft.optimiser.surrogate import Posterior
from autopeft.study import about
from autopeft.types import Backbone, Configuration, Measured, PeftModule, Placement, Results

THIRDS = 3
"""Depths that are told apart."""
LEAST = 8
"""Scored configurations below which there is nothing to learn from."""
LARGEST = 8.0
"""Powers of two that sizes are measured against."""


@dataclass(frozen=True)
class Lesson:
    """What is kept of an earlier study."""

    study: str
    backbone: Backbone
    configurations: tuple[Configuration, ...]
    scores: tuple[Measured, ...]
    """Of the trained objective; larger is better."""
    front: tuple[int, ...]
    """Positions of the front's configurations, cheapest first."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "study": self.study,
            "backbone": asdict(self.backbone),
            "configurations": [c.to_json() for c in self.configurations],
            "scores": [[m.value, m.error] for m in self.scores],
            "front": list(self.front),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Lesson:
        """The inverse of `to_json`."""
        return Lesson(
            study=data["study"],
            backbone=about.backbone(data),
            configurations=tuple(map(Configuration.from_json, data["configurations"])),
            scores=tuple(Measured(*pair) for pair in data["scores"]),
            front=tuple(data["front"]),
        )


@dataclass(frozen=True)
class Traits:
    """How configurations are described so that those of two backbones compare."""

    keys: tuple[tuple[str, str], ...]
    """(module, role) pairs that the earlier study used."""
    sizes: Mapping[str, str]
    """Module -> the setting that is its size."""

    @property
    def width(self) -> int:
        """Numbers per configuration, the learning rate left out."""
        return len(self.keys) + THIRDS

    def of(self, placement: Placement, backbone: Backbone) -> NDArray[np.float64]:
        """Sizes by module and role, averaged over layers, and by depth over all roles."""
        found = np.zeros(self.width)
        site, depth = backbone.site(placement.site), len(backbone.layers)
        layer = min(site.layer, depth - 1)
        size = float(placement.settings.get(self.sizes.get(placement.module, ""), 1))
        share = math.log2(1 + size) / LARGEST / depth
        key = (placement.module, site.role)
        if key in self._positions:
            found[self._positions[key]] = share
        found[len(self.keys) + layer * THIRDS // depth] = share * THIRDS / max(1, len(self.keys))
        return found

    @cached_property
    def _positions(self) -> dict[tuple[str, str], int]:
        return {key: index for index, key in enumerate(self.keys)}


@dataclass(frozen=True, eq=False)
class WarmStart:
    """An `optimiser.problem.Prior`."""

    traits_of: Traits
    backbone: Backbone
    """The new study's."""
    fitted: Posterior

    @property
    def width(self) -> int:
        """Traits of a placement."""
        return self.traits_of.width

    def traits(self, placement: Placement) -> NDArray[np.float64]:
        """What a placement of the new study contributes."""
        return self.traits_of.of(placement, self.backbone)

    def expected(
        self, traits: NDArray[np.float64], learning_rates: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Expected scores in standard deviations of the earlier study."""
        mean, _ = self.fitted.mean_and_deviation(_rows(traits, learning_rates))
        found: NDArray[np.float64] = mean.numpy()
        return found

    def of(self, configuration: Configuration) -> float:
        """The expected score of one configuration."""
        traits = _sum([self.traits(p) for p in configuration.placements], self.width)
        return float(self.expected(traits[None], np.array([configuration.learning_rate]))[0])


def warm_start(lesson: Lesson, backbone: Backbone, modules: Mapping[str, PeftModule]) -> WarmStart:
    """The prior for a study of another backbone or task, from scores that do not differ by chance.

    Raises:
        UsageError: the earlier study has too few scores, or they cannot be told from chance: its
            configurations predict left-out ones no better than the mean of the others.
    """
    prior = prior_of(lesson, backbone, modules)
    process = prior.fitted.fitted
    if not surrogate.predicts(process, [score.value for score in lesson.scores]):
        checked = f"checked on {process.count} of its trials, each left out in turn"
        reason = f"the scores of `{lesson.study}` do not follow from its configurations"
        reason += f" more than by chance ({checked})"
        raise UsageError(reason, hint="nothing carries over: search without a warm start")
    return prior


def prior_of(lesson: Lesson, backbone: Backbone, modules: Mapping[str, PeftModule]) -> WarmStart:
    """The prior that an earlier study gives, whether or not there is anything in its scores.

    Args:
        lesson: of the earlier study.
        backbone: the new study's.
        modules: PEFT module types by name.

    Raises:
        UsageError: the earlier study has too few scores, or no process fits them.
    """
    if len(lesson.scores) < LEAST:
        reason = f"`{lesson.study}` has {len(lesson.scores)} scored trials, too few to learn from"
        raise UsageError(reason, hint=f"a warm start needs {LEAST}; search without one")
    placed = [p for c in lesson.configurations for p in c.placements]
    keys = sorted({(p.module, lesson.backbone.site(p.site).role) for p in placed})
    traits_of = Traits(tuple(keys), {name: piece.size for name, piece in modules.items()})
    traits = np.stack(
        [
            _sum([traits_of.of(p, lesson.backbone) for p in c.placements], traits_of.width)
            for c in lesson.configurations
        ]
    )
    rates = np.array([c.learning_rate for c in lesson.configurations])
    middle = statistics.fmean(m.value for m in lesson.scores)
    spread = statistics.pstdev([m.value for m in lesson.scores]) or 1.0
    errors = (m.error / spread for m in lesson.scores)
    data = Data(
        rows=tuple(map(tuple, _rows(traits, rates).tolist())),
        values=tuple((m.value - middle) / spread for m in lesson.scores),
        errors=tuple(e if math.isfinite(e) else 0.0 for e in errors),
    )
    fitted = _fitted(data)
    if fitted is None:
        raise UsageError(f"nothing can be learned from the scores of `{lesson.study}`")
    return WarmStart(traits_of, backbone, fitted)


def _fitted(data: Data) -> Posterior | None:
    """The process with the stated errors, or with errors left open where that predicts better.

    The trials of a study share their examples: they may differ by less than the errors say.
    """
    stated = surrogate.fit(data)
    unknown = surrogate.fit(replace(data, errors=(0.0,) * len(data.errors)))
    if stated is None or unknown is None:
        return stated or unknown
    better = unknown.fitted.skill > stated.fitted.skill + surrogate.EARNED
    return unknown if better else stated


def lesson_of(results: Results) -> Lesson:
    """What is kept of a study's results."""
    first = results.objectives[0]
    sign = 1.0 if first.direction == "maximize" else -1.0
    done = [t for t in results.trials if t.state == "complete"]
    positions = {trial.number: index for index, trial in enumerate(done)}
    found = [t.objectives[first.name] for t in done]
    return Lesson(
        study=results.study,
        backbone=results.backbone,
        configurations=tuple(t.configuration for t in done),
        scores=tuple(Measured(sign * m.value, m.error) for m in found),
        front=tuple(positions[number] for number in results.front),
    )


def _rows(traits: NDArray[np.float64], learning_rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the process sees: the traits, and the rate on a scale of three decades."""
    return np.column_stack([traits, (np.log10(learning_rates) + 5) / 3])


def _sum(parts: Sequence[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    return np.sum(parts, axis=0) if parts else np.zeros(width)
