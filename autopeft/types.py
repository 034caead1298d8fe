"""The words of AutoPEFT as data: frozen dataclasses, no behaviour beyond (de)serialisation.

Numbers follow one convention: counts are integers, memory is bytes, shares are percent, scores
such as accuracy are fractions between 0 and 1; a view formats them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch
    from optuna.samplers import BaseSampler

Value = bool | int | float | str
Settings = Mapping[str, Value]
Point = tuple[int, ...]
"""A point of a search space: one value index per dimension."""
Direction = Literal["maximize", "minimize"]
Stage = Literal["count", "probe", "proxy", "confirm"]
SiteKind = Literal["linear", "attention", "mlp", "layer", "whole_layer"]
TrialState = Literal["running", "complete", "stopped", "failed"]
"""`stopped` at a rung, for want of a chance to end on the front."""


# --- The frozen model -------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """One place a module can go.

    `kind` says what is there: a `linear` weight, an `attention` (its keys and values), an `mlp`
    (the feed-forward sublayer from its first to its last linear), a `layer` (the output of the
    whole layer, after its residuals and norms) or a `whole_layer` (from its input to its output).
    """

    layer: int
    role: str
    """Dotted role within the layer, such as `attention.query`, `mlp.down`, `mlp` or `layer`."""
    kind: SiteKind
    path: str
    """Path of the module in the model; its output is what changes (its keys for `attention`)."""
    in_features: int
    out_features: int
    """Width of the output; for `attention` the width of all keys of one token."""
    source: str = ""
    """For `mlp`: path of the linear whose input the sublayer reads."""
    parts: int = 0
    """Key/value heads of an `attention`, neurons of an `mlp`; 0 where they are unknown."""
    reader: str = ""
    """Path of the linear that reads what those parts give, where they are known."""

    @property
    def name(self) -> str:
        """Unique name, such as `3.attention.query`."""
        return f"{self.layer}.{self.role}"


@dataclass(frozen=True)
class Backbone:
    """A frozen pretrained model seen as layers x sites."""

    name: str
    family: str
    """The `model_type` of its configuration."""
    layers: tuple[str, ...]
    """Module path of each layer, lowest first."""
    sites: tuple[Site, ...]
    hidden_size: int
    parameters: int
    """Weights of the frozen backbone, the head left out."""
    head_parameters: int = 0

    def site(self, name: str) -> Site:
        """The site of that name; KeyError when the backbone has none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Site]:
        return {site.name: site for site in self.sites}


@dataclass(frozen=True)
class Family:
    """What discovery cannot see in the module tree of one backbone family."""

    label: str
    model_types: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    """Regular expression on the path within a layer -> role."""
    ignore: tuple[str, ...] = ()
    """Regular expressions of linears that must not be adapted."""


# --- Configurations ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Placement:
    """One PEFT module at one site, with its settings."""

    site: str
    module: str
    settings: Settings

    def to_json(self) -> dict[str, Any]:
        """Plain data with sorted settings."""
        return {
            "site": self.site,
            "module": self.module,
            "settings": dict(sorted(self.settings.items())),
        }


@dataclass(frozen=True)
class Configuration:
    """What is trained: the resolved per-site table and the learning rate. Exactly what ran."""

    placements: tuple[Placement, ...]
    learning_rate: float

    def to_json(self) -> dict[str, Any]:
        """Plain data, in canonical order."""
        rows = sorted(
            (p.to_json() for p in self.placements), key=lambda p: (p["site"], p["module"])
        )
        return {"placements": rows, "learning_rate": self.learning_rate}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Configuration:
        """The inverse of `to_json`."""
        rows = tuple(
            Placement(p["site"], p["module"], dict(p["settings"])) for p in data["placements"]
        )
        return Configuration(rows, float(data["learning_rate"]))


@dataclass(frozen=True)
class Count:
    """Parameters of one module at one site."""

    parameters: int
    """Everything that is held and trained there."""
    published: int
    """As the method's paper counts it: without bottleneck biases, or after ranks were cut."""


class PackedLayer(Protocol):
    """The stacked parameters of K configurations at one site (an `nn.Module`; leading dim K)."""

    def attach(self, model: torch.nn.Module, site: Site) -> list[Any]:
        """Hook the site; gives handles whose `remove()` restores the model exactly."""

    def export(self, index: int) -> dict[str, torch.Tensor]:
        """The tensors of one configuration, padding removed."""

    def restore(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `export`."""


@dataclass(frozen=True)
class LearningRates:
    """The peak learning rates of AdamW that are worth searching for one module type."""

    low: float
    high: float
    source: str
    """Who trained with which."""


@dataclass(frozen=True)
class Lora:
    """A plain LoRA at one linear: `y = W x + scaling * B A x`."""

    scaling: float
    A: torch.Tensor
    """[r, d_in]; r may be 0."""
    B: torch.Tensor
    """[d_out, r]."""


@dataclass(frozen=True)
class Shipped:
    """The module that another one has become, at the same site."""

    module: str
    settings: Settings
    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class PeftModule:
    """A PEFT module type: what it sits on, its exact size, and its stacked form.

    There is no unstacked form: one configuration is a stack of one.
    """

    label: str
    paper: str
    kind: SiteKind
    size: str
    """Name of the setting that sets its size; 0 means off."""
    defaults: Settings
    """The other settings and their defaults."""
    count: Callable[[Site, Settings], Count]
    stack: Callable[[Site, Sequence[Settings | None], Sequence[int]], PackedLayer]
    """(site, settings of each of the K configurations or None, seeds) -> stacked layer."""
    mergeable: bool
    learning_rates: LearningRates | None = None
    """For a space that states none."""
    method: Callable[[], Any] | None = None
    """Makes the `training.callback.Callback` that acts on its layers between the steps of every
    training; None where gradients alone train it."""
    as_lora: Callable[[Settings, Mapping[str, torch.Tensor]], Lora] | None = None
    """(settings, tensors of one trained configuration) -> the LoRA that it has become; None where
    it never is one."""
    ships: Callable[[Settings, Mapping[str, torch.Tensor]], Shipped | None] | None = None
    """(settings, tensors of one trained configuration) -> the module that takes its place, None
    for none at all; left out where it ships as it is, or as a LoRA."""
    adds: Callable[[Site, Settings], int] | None = None
    """Multiply-adds per token of what ships; None for the published parameters, and for 0 where it
    is mergeable."""
    spares: Callable[[Site, Settings], float] | None = None
    """Share of the multiply-adds of its site that what ships need not do."""
    replaces: bool = False
    """Whether the layer that it sits on is not run: nothing else can sit inside."""
    square: bool = False
    """Whether it has tensors that grow with the square of its size: no memory is predicted."""


# --- Data and tasks ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Examples:
    """Rows of one split: one or two texts each, and a class index or a number."""

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TaskData:
    """A data set in the three disjoint splits of `design.md` 7."""

    name: str
    task: str
    """Name of the task piece that reads it, such as `text_classification`."""
    classes: tuple[str, ...]
    """Class names in index order; empty for regression."""
    train: Examples
    validation: Examples
    report: Examples
    """Touched by confirmation only, never by the search."""
    digest: str
    notes: tuple[str, ...] = ()
    """What was dropped, carved or guessed, in sentences."""


@dataclass(frozen=True)
class Metric:
    """A score of predictions, larger is better."""

    label: str
    value: Callable[[np.ndarray, np.ndarray], float]
    """(predictions, labels) -> score; predictions are class indices or numbers."""
    error: Callable[[np.ndarray, np.ndarray], float]
    """Its standard error from the examples alone."""


@dataclass(frozen=True)
class Task:
    """A kind of task: its head, its loss and its metrics."""

    label: str
    architecture: str
    """Name of the transformers auto class that gives the head."""
    metrics: Mapping[str, Metric]
    """The first one is the default."""
    outputs: Callable[[TaskData], int]
    """Width of the head."""
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """(logits [K, B, C], labels [B]) -> mean loss of each configuration [K]."""
    predict: Callable[[torch.Tensor], torch.Tensor]
    """logits [..., C] -> predictions [...]."""


# --- Measurements -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """A value and its standard error (0 when it is exact)."""

    value: float
    error: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Every measurement of one configuration, and how each was made."""

    configuration: Configuration
    measurements: Mapping[str, Measured]
    """`score`, `trainable`, `published`, `shipped`, `frozen`, `head`, `multiply_adds`,
    `multiply_adds_frozen`, `memory_predicted`,
    `memory_measured`, `train_loss`, ...; counts in parameters, memory in bytes, a score in 0..1."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """metric, split, rows, seeds, steps, batch, length, device, dtype, seconds, pack, ..."""


@dataclass(frozen=True)
class Objective:
    """One number that a search trades off."""

    label: str
    unit: str
    """`%`, `B`, `ms`, ...; `%` means that the value is already in percent."""
    direction: Direction
    stage: Stage
    value: Callable[[Outcome], Measured]


BASELINE = "baseline: "
"""How the origin of a family default begins."""
AGAIN = "again: trial "
"""How the origin of a trial begins that trains anew what was stopped."""


@dataclass(frozen=True)
class TrialRecord:
    """A trial as reports, exporters and commands see it."""

    number: int
    state: TrialState
    origin: str
    """`baseline: LoRA r=8 on q,v`, `importance: spt`, `initial`, `model`, `random`,
    `again: trial 7`, ..."""
    configuration: Configuration
    objectives: Mapping[str, Measured]
    """Empty unless complete."""
    feasible: bool
    point: Mapping[str, Value]
    """Values of the space's dimensions; empty for a baseline outside the space."""
    measurements: Mapping[str, Measured]
    provenance: Mapping[str, Any]
    """With `curve`: list of {step, train_loss, score}, `seeds`: list of int and, where it ships as
    something else than it was trained as, `shipped`: list of placements."""
    message: str = ""
    """Why it failed or was stopped, in one sentence."""
    digest: str = ""

    @property
    def default(self) -> str:
        """Name of the family default that it is, such as `LoRA r=8 on q,v`; empty for others."""
        return self.origin.removeprefix(BASELINE) if self.origin.startswith(BASELINE) else ""

    @property
    def first_go(self) -> int | None:
        """Number of the trial with the same configuration that was stopped before this one."""
        return int(self.origin.removeprefix(AGAIN)) if self.origin.startswith(AGAIN) else None


@dataclass(frozen=True)
class ObjectiveInfo:
    """An objective without its function, as stored in a study."""

    name: str
    label: str
    unit: str
    direction: Direction


@dataclass(frozen=True)
class Results:
    """An immutable snapshot of a study: what reports and exporters read. Never Optuna."""

    study: str
    """Path or URL as the user gave it."""
    objectives: tuple[ObjectiveInfo, ...]
    trials: tuple[TrialRecord, ...]
    front: tuple[int, ...]
    """Trial numbers on the Pareto front, sorted by the second objective, smallest first."""
    backbone: Backbone
    info: Mapping[str, Any]
    """model, dataset, space, budget_percent, metric, splits, protocol, device, versions, command,
    digests, health (sentences), proxy_correlation, ..."""

    def trial(self, number: int) -> TrialRecord:
        """The trial of that number; KeyError when there is none."""
        for trial in self.trials:
            if trial.number == number:
                return trial
        raise KeyError(number)


# --- Pieces: one file each --------------------------------------------------------------------


@dataclass(frozen=True)
class SamplerPiece:
    """A named sampler; `build` is called for every ask, so that a sampler needs no memory."""

    label: str
    build: Callable[[Any, int], BaseSampler]
    """(problem: `optimiser.problem.Problem`, seed) -> sampler."""
    require: Callable[[], None] = lambda: None
    """Raises MissingError when something that it needs is not installed."""


@dataclass(frozen=True)
class Scores:
    """What an importance method found: one non-negative number per linear site."""

    method: str
    site: Mapping[str, float]
    provenance: Mapping[str, Any]
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Method-specific data that its allocator needs, JSON."""
    rank: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Site -> what its first, second, ... rank is worth; empty where the method has no ranks."""

    def layer(self, index: int) -> float:
        """The sum over the sites of one layer."""
        return sum(v for name, v in self.site.items() if name.split(".", 1)[0] == str(index))


@dataclass(frozen=True)
class ImportanceMethod:
    """A way to score sites."""

    label: str
    paper: str
    score: Callable[[Any], Scores]
    """(scoring: `scoring.Scoring`) -> scores."""
    allocator: str
    """Name of the allocator that turns its scores into placements unless another is asked for."""
    cost: str
    """What scoring takes, in words, such as `8 gradient passes`."""


@dataclass(frozen=True)
class Allocator:
    """A way to turn scores into placements at a parameter budget."""

    label: str
    paper: str
    allocate: Callable[[Scores, Backbone, int, Settings], tuple[Placement, ...]]
    """(scores, backbone, parameter budget, settings) -> placements, never above the budget."""
    defaults: Settings
    """Its settings and their defaults."""


@dataclass(frozen=True)
class Exporter:
    """A target that a configuration is written for."""

    label: str
    refuses: Callable[[Configuration, Mapping[str, PeftModule]], str]
    """Why the target cannot express the configuration, or an empty string."""
    write: Callable[[Any, Path], list[Path]]
    """(bundle: `bundle.Bundle`, folder) -> files written, checked by loading them back."""


@dataclass(frozen=True)
class Comparison:
    """What a view says of several studies at once; they have at least two objectives in common."""

    caption: str
    """One line that says how to read it."""
    html: Callable[[Sequence[Results]], str]
    """The section's body: HTML that reads without JavaScript."""
    data: Callable[[Sequence[Results]], dict[str, Any]] = lambda studies: {}
    """JSON for the page's script."""


@dataclass(frozen=True)
class View:
    """One section of a report."""

    title: str
    order: int
    caption: str
    """One line that says how to read it."""
    unavailable: Callable[[Results], str]
    """Why the view cannot be drawn, or an empty string."""
    html: Callable[[Results], str]
    """The section's body: HTML that reads without JavaScript."""
    data: Callable[[Results], dict[str, Any]] = lambda results: {}
    """JSON for the page's script."""
    several: Comparison | None = None
    """The view of several studies; None where there is nothing to lay side by side."""
