"""A pack: K configurations on one frozen base, trained at once exactly as if each were alone.

The batch is repeated K times along dimension 0, slice-major. Layers below the lowest adapted one
(the trunk) are the same for every configuration, so they run once on the batch's own rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from autopeft.errors import UsageError
from autopeft.training.packed_head import PackedHead
from autopeft.training.packed_module import PackedModule
from autopeft.training.trunk import Trunk
from autopeft.training.trunk_cache import Rows, TrunkCache
from autopeft.types import Backbone, Configuration, PeftModule, Settings, Site


@dataclass(frozen=True)
class Job:
    """One training: a configuration and the seed of its initial weights."""

    configuration: Configuration
    seed: int


def entry_layer(configuration: Configuration, backbone: Backbone) -> int:
    """Index of the first layer whose computation the configuration changes; L when none.

    A module on the output of layer i changes nothing inside it, so it enters at i + 1.
    """
    sites = (backbone.site(p.site) for p in configuration.placements)
    entries = [s.layer + 1 if s.kind == "layer" else s.layer for s in sites]
    return min(entries, default=len(backbone.layers))


class Pack(nn.Module):
    """The stacked modules and heads of K jobs; `attached` hooks them into the frozen model."""

    def __init__(
        self,
        model: nn.Module,
        backbone: Backbone,
        jobs: Sequence[Job],
        *,
        modules: Mapping[str, PeftModule],
        head: Sequence[str],
        cache: TrunkCache | None = None,
        share_trunk: bool = True,
    ) -> None:
        """Stack the jobs.

        Args:
            model: the frozen base with its head, in eval mode.
            backbone: its layers and sites.
            jobs: the K jobs.
            modules: PEFT module types by name.
            head: paths of the modules that each configuration trains its own copy of.
            cache: of the trunk's outputs, shared by packs on the same model.
            share_trunk: whether layers below the lowest adapted one run once for all jobs.

        Raises:
            UsageError: a job places something inside a layer that it does not run.
        """
        super().__init__()
        for job in jobs:
            _check_replaced(job.configuration, backbone, modules)
        self.backbone = backbone
        self.jobs = tuple(jobs)
        occupied = _occupied(jobs, backbone)
        self.types = {name: modules[name] for _, name in occupied}
        self.head = PackedHead(model, head, [job.seed for job in jobs])
        self.layers = nn.ModuleDict()
        self.sites: dict[str, Site] = {}
        for site, name in occupied:
            key = f"{site.name}:{name}".replace(".", "/")
            seeds = [job.seed for job in jobs]
            stacked: Any = modules[name].stack(site, _settings(jobs, site, name), seeds)
            self.layers[key] = stacked
            self.sites[key] = site
        self.entry = min(entry_layer(job.configuration, backbone) for job in jobs)
        one_stack = share_trunk and len({path.rsplit(".", 1)[0] for path in backbone.layers}) == 1
        shared = backbone.layers[: self.entry] if one_stack else ()
        self.trunk = Trunk(shared, len(jobs), cache)
        first = next(model.parameters())
        self.to(device=first.device, dtype=torch.promote_types(first.dtype, torch.float32))

    @property
    def count(self) -> int:
        """K."""
        return len(self.jobs)

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """The model computing all K configurations; on leaving, exactly what it was."""
        handles: list[Any] = []
        try:
            handles += self.trunk.attach(model)
            for key, layer in self.layers.items():
                attach: Any = layer.attach
                handles += attach(model, self.sites[key])
            handles += self.head.attach(model)
            yield
        finally:
            for handle in reversed(handles):
                handle.remove()

    def logits(
        self, model: nn.Module, batch: Mapping[str, torch.Tensor], rows: Rows | None = None
    ) -> torch.Tensor:
        """Outputs [K, B, C] for a batch of B rows, inside `attached`.

        Args:
            model: the frozen base.
            batch: its inputs, each with B rows.
            rows: where the rows are from, so that the trunk's output can be kept for them.
        """
        repeated = {
            name: value.repeat(self.count, *([1] * (value.dim() - 1)))
            for name, value in batch.items()
        }
        self.trunk.begin(repeated, rows)
        outputs: torch.Tensor = model(**repeated).logits
        return outputs.view(self.count, -1, outputs.shape[-1])

    def export(self, index: int) -> dict[str, torch.Tensor]:
        """Everything that one job trained: `site:module:tensor` and `head:path` -> tensor."""
        found = {f"head:{name}": value for name, value in self.head.export(index).items()}
        for name, layer in self._layers_of(index):
            found |= {f"{name}:{k}": v for k, v in layer.export(index).items()}
        return found

    def restore(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `export`."""
        self.head.restore(index, _part(tensors, "head:"))
        for name, layer in self._layers_of(index):
            layer.restore(index, _part(tensors, f"{name}:"))

    def memory(self, index: int) -> dict[str, torch.Tensor]:
        """What training-time methods keep of one job between steps, named as by `export`."""
        return {
            f"{name}:{k}": v
            for name, layer in self._layers_of(index)
            if isinstance(layer, PackedModule)
            for k, v in layer.memory(index).items()
        }

    def recall(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `memory`."""
        for name, layer in self._layers_of(index):
            if isinstance(layer, PackedModule):
                layer.recall(index, _part(tensors, f"{name}:"))

    def settle(self) -> None:
        """Free what only training needs: it goes no further."""
        for layer in self.layers.values():
            if isinstance(layer, PackedModule):
                layer.settle()

    def _layers_of(self, index: int) -> Iterator[tuple[str, Any]]:
        """`site:module` and the stacked module, wherever the job has one."""
        for key, layer in self.layers.items():
            stacked: Any = layer
            if stacked.sizes[index]:
                yield key.replace("/", "."), stacked


def _check_replaced(
    configuration: Configuration, backbone: Backbone, modules: Mapping[str, PeftModule]
) -> None:
    """UsageError when a configuration places something inside a layer that is not run."""
    placed = [
        (p, backbone.site(p.site), modules[p.module])
        for p in configuration.placements
        if p.settings[modules[p.module].size]
    ]
    gone = {site.layer: p for p, site, piece in placed if piece.replaces}
    for placement, site, _ in placed:
        instead = gone.get(site.layer, placement)
        if instead is not placement and site.kind != "layer":
            raise UsageError(
                f"`{instead.module}` at `{instead.site}` leaves no place for "
                f"`{placement.module}` at `{placement.site}`: the layer is not run",
                hint="leave one of them out",
            )


def _occupied(jobs: Sequence[Job], backbone: Backbone) -> list[tuple[Site, str]]:
    """Every (site, module type) that at least one job uses, in the order of the backbone."""
    used = {(p.site, p.module) for job in jobs for p in job.configuration.placements}
    order = {site.name: index for index, site in enumerate(backbone.sites)}
    ordered = sorted(used, key=lambda pair: (order[pair[0]], pair[1]))
    return [(backbone.site(name), module) for name, module in ordered]


def _settings(jobs: Sequence[Job], site: Site, module: str) -> list[Settings | None]:
    def of(job: Job) -> Settings | None:
        for placement in job.configuration.placements:
            if placement.site == site.name and placement.module == module:
                return placement.settings
        return None

    return [of(job) for job in jobs]


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
