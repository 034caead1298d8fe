"""What is shipped of a trained configuration: what methods moved or cut, as the LoRA it became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autopeft.types import Configuration, Lora, PeftModule, Placement

if TYPE_CHECKING:
    import torch

Tensors = Mapping[str, "torch.Tensor"]
"""As `Pack.export`: `site:module:tensor` -> tensor."""
PLAIN = "lora"


def changes(configuration: Configuration, modules: Mapping[str, PeftModule]) -> bool:
    """Whether the configuration ships as another than it was trained as."""
    return any(modules[p.module].as_lora is not None for p in configuration.placements)


def shipped(
    configuration: Configuration, tensors: Tensors, modules: Mapping[str, PeftModule]
) -> tuple[Configuration, dict[str, torch.Tensor]]:
    """The configuration and its weights with a plain LoRA for every module that has become one.

    A site whose last rank was cut has none. Where a plain LoRA is beside it, both are one.
    """
    if not changes(configuration, modules):
        return configuration, dict(tensors)
    loras: dict[str, list[Lora]] = {}
    kept = []
    for placement in configuration.placements:
        become = _lora(placement, tensors, modules)
        if become is None:
            kept.append(placement)
        elif len(become.A):
            loras.setdefault(placement.site, []).append(become)
    gone = {f"{p.site}:{p.module}" for p in configuration.placements if p not in kept}
    found = {n: t for n, t in tensors.items() if n.rpartition(":")[0] not in gone}
    for site, several in loras.items():
        lora = _together(several)
        kept.append(Placement(site, PLAIN, {"rank": len(lora.A), "scaling": lora.scaling}))
        found |= {f"{site}:{PLAIN}:A": lora.A, f"{site}:{PLAIN}:B": lora.B}
    return replace(configuration, placements=tuple(kept)), found


def _lora(placement: Placement, tensors: Tensors, modules: Mapping[str, PeftModule]) -> Lora | None:
    """What a module has become; None where it is none of LoRA's, or off."""
    piece, settings = modules[placement.module], placement.settings
    start = f"{placement.site}:{placement.module}:"
    mine = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
    if not mine:
        return None
    if placement.module == PLAIN:
        return Lora(float(settings["scaling"]), mine["A"], mine["B"])
    return piece.as_lora(settings, mine) if piece.as_lora is not None else None


def _together(loras: Sequence[Lora]) -> Lora:
    """Several at one site as one, with the scale of the first."""
    import torch

    scaling = loras[0].scaling
    down = torch.cat([lora.A for lora in loras])
    up = torch.cat([lora.B * (lora.scaling / scaling) for lora in loras], dim=1)
    return Lora(scaling, down, up)
