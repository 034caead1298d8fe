"""What is shipped of a trained configuration: what methods moved or cut, as what it became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autopeft.types import Configuration, Lora, PeftModule, Placement

if TYPE_CHECKING:
    import torch

Tensors = Mapping[str, "torch.Tensor"]
"""As `Pack.export`: `site:module:tensor` -> tensor; of one module by their last part."""
PLAIN = "lora"


def changes(configuration: Configuration, modules: Mapping[str, PeftModule]) -> bool:
    """Whether the configuration ships as another than it was trained as."""
    pieces = [modules[p.module] for p in configuration.placements]
    return any(piece.as_lora is not None or piece.ships is not None for piece in pieces)


def shipped(
    configuration: Configuration, tensors: Tensors, modules: Mapping[str, PeftModule]
) -> tuple[Configuration, dict[str, torch.Tensor]]:
    """The configuration and its weights with what every module has become in its place.

    That is a plain LoRA, another module or nothing. A site whose last rank was cut has none. Where
    a plain LoRA is beside one, both are one. Nothing is left inside a layer that is not run.
    """
    if not changes(configuration, modules):
        return configuration, dict(tensors)
    found = _Found({n: t for n, t in tensors.items() if n.startswith("head:")})
    for placement in configuration.placements:
        found.add(placement, _mine(placement, tensors), modules[placement.module])
    kept = found.joined(modules)
    return replace(configuration, placements=tuple(kept)), found.tensors


@dataclass
class _Found:
    """What is shipped, collected placement by placement."""

    tensors: dict[str, torch.Tensor]
    kept: list[Placement] = field(default_factory=list)
    loras: dict[str, list[Lora]] = field(default_factory=dict)

    def add(self, placement: Placement, mine: Tensors, piece: PeftModule) -> None:
        """One placement with its tensors; the LoRAs of a site wait until all are known."""
        lora = _lora(placement, mine, piece) if mine else None
        if lora is not None:
            self.loras.setdefault(placement.site, []).extend([lora] if len(lora.A) else [])
        elif piece.ships is None:
            self.keep(placement, mine)
        elif mine and (become := piece.ships(placement.settings, mine)) is not None:
            self.keep(Placement(placement.site, become.module, become.settings), become.tensors)

    def keep(self, placement: Placement, mine: Tensors) -> None:
        """That placement as it is."""
        self.kept.append(placement)
        start = f"{placement.site}:{placement.module}:"
        self.tensors.update({start + name: tensor for name, tensor in mine.items()})

    def joined(self, modules: Mapping[str, PeftModule]) -> list[Placement]:
        """All placements, without those inside layers that are not run."""
        for site, several in self.loras.items():
            if several:
                lora = _together(several)
                settings = {"rank": len(lora.A), "scaling": lora.scaling}
                self.keep(Placement(site, PLAIN, settings), {"A": lora.A, "B": lora.B})
        replacing = {p.site for p in self.kept if p.module in modules and _replaces(p, modules)}
        gone = {site.partition(".")[0] for site in replacing}
        inside = {
            p.site
            for p in self.kept
            if p.site.partition(".")[0] in gone and p.site.partition(".")[2] != "layer"
        }
        for name in [n for n in self.tensors if n.partition(":")[0] in inside - replacing]:
            del self.tensors[name]
        return [p for p in self.kept if p.site not in inside - replacing]


def _replaces(placement: Placement, modules: Mapping[str, PeftModule]) -> bool:
    piece = modules[placement.module]
    return piece.replaces and bool(placement.settings[piece.size])


def _mine(placement: Placement, tensors: Tensors) -> dict[str, torch.Tensor]:
    start = f"{placement.site}:{placement.module}:"
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _lora(placement: Placement, mine: Tensors, piece: PeftModule) -> Lora | None:
    """What a module has become; None where it is none of LoRA's."""
    if placement.module == PLAIN:
        return Lora(float(placement.settings["scaling"]), mine["A"], mine["B"])
    return None if piece.as_lora is None else piece.as_lora(placement.settings, mine)


def _together(loras: Sequence[Lora]) -> Lora:
    """Several at one site as one, with the scale of the first."""
    import torch

    scaling = loras[0].scaling
    down = torch.cat([lora.A for lora in loras])
    up = torch.cat([lora.B * (lora.scaling / scaling) for lora in loras], dim=1)
    return Lora(scaling, down, up)
