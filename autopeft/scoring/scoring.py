"""What an importance method works with: a frozen model, its data, a seed, and short trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from autopeft import digest
from autopeft.training.batches import Split, order
from autopeft.training.callback import Callback
from autopeft.training.loop import Protocol, train
from autopeft.training.pack import Job, Pack
from autopeft.types import Backbone, Configuration, PeftModule, Placement, Site, Task

if TYPE_CHECKING:
    import torch

BATCHES = 8
HEAD_STEPS = 20
HEAD_RATE = 5e-3
RANK = 8
LEARNING_RATE = 3e-3


@dataclass(frozen=True)
class Scoring:
    """One scoring of the linears of a backbone. The same seed gives the same scores."""

    model: torch.nn.Module
    backbone: Backbone
    modules: Mapping[str, PeftModule]
    head: Sequence[str]
    task: Task
    protocol: Protocol
    splits: tuple[Split, Split]
    """Search-train and search-validation; a method reads only the first."""
    seed: int

    @property
    def linears(self) -> list[Site]:
        """The linear sites, in the order of the backbone."""
        return [site for site in self.backbone.sites if site.kind == "linear"]

    def shared_by_linears(self, layers: Sequence[float]) -> dict[str, float]:
        """A score per layer as scores of its linears, in proportion to their sizes."""
        sizes = {site.name: site.in_features * site.out_features for site in self.linears}
        totals = [0] * len(layers)
        for site in self.linears:
            totals[site.layer] += sizes[site.name]
        return {s.name: layers[s.layer] * sizes[s.name] / totals[s.layer] for s in self.linears}

    # --- batches --------------------------------------------------------------------------------

    @cached_property
    def batches(self) -> list[Callable[[], torch.Tensor]]:
        """Closures that give the mean loss of a few batches with a briefly trained head.

        An untrained head would send gradients of random directions into the backbone.
        """
        return [self._loss_of(rows) for rows in self.rows(BATCHES)]

    def rows(self, count: int, *, part: str = "") -> list[list[int]]:
        """Indices of `count` batches of search-train; another `part` gives others."""
        seed = digest.seed_of(self.seed, part) if part else self.seed
        return list(order(self.splits[0].lengths, self.protocol.batch, count, seed=seed))

    def halves(self) -> tuple[Split, Split]:
        """Search-train in two parts of equal size, every other row."""
        whole = self.splits[0]
        parts = [
            Split(whole.rows[i::2], whole.labels[i::2], whole.tokenizer, whole.device)
            for i in (0, 1)
        ]
        return parts[0], parts[1]

    def _loss_of(self, rows: list[int]) -> Callable[[], torch.Tensor]:
        def loss() -> torch.Tensor:
            with self.trained_head.attached(self.model):
                return self.losses(self.trained_head, rows)[0]

        return loss

    @cached_property
    def trained_head(self) -> Pack:
        """A pack of one head without any module, after a few steps, frozen."""
        pack = self.pack([Configuration((), HEAD_RATE)])
        if self.head:
            self.train(pack, steps=HEAD_STEPS)
        return pack.requires_grad_(False)

    def losses(self, pack: Pack, rows: list[int]) -> torch.Tensor:
        """Mean loss [K] of each configuration on rows of search-train, inside `attached`."""
        split = self.splits[0]
        logits = pack.logits(self.model, split.batch(rows))
        return self.task.loss(logits, split.labels[rows].to(logits.device))

    # --- packs ----------------------------------------------------------------------------------

    def lora(self, rank: int = RANK, *, rate: float = LEARNING_RATE) -> Configuration:
        """LoRA of one rank at every linear, alpha twice the rank."""
        settings = {**self.modules["lora"].defaults, "rank": rank}
        placed = (Placement(site.name, "lora", settings) for site in self.linears)
        return Configuration(tuple(placed), rate)

    def pack(
        self,
        configurations: Sequence[Configuration],
        *,
        modules: Mapping[str, PeftModule] | None = None,
        share_trunk: bool = True,
    ) -> Pack:
        """The configurations stacked, their weights drawn from the seed of the scoring."""
        jobs = [Job(configuration, self.seed) for configuration in configurations]
        known = self.modules if modules is None else modules
        return Pack(
            self.model,
            self.backbone,
            jobs,
            modules=known,
            head=self.head,
            share_trunk=share_trunk,
        )

    def train(
        self, pack: Pack, *, steps: int = 0, callbacks: Sequence[Callback] = ()
    ) -> list[bool]:
        """Train a pack for some steps (0 for the protocol's); whether each one stayed finite."""
        steps = steps or self.protocol.steps
        protocol = replace(self.protocol, steps=steps, seed=self.seed, rungs=())
        found = train(
            self.model,
            pack,
            task=self.task,
            protocol=protocol,
            splits=self.splits,
            callbacks=callbacks,
        )
        return [one.finite for one in found]
