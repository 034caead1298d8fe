"""A LoRA configuration in the words of peft: the arguments of `LoraConfig` and its weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autopeft.adapters import shipping
from autopeft.export.bundle import Bundle
from autopeft.types import Configuration, PeftModule, Placement

if TYPE_CHECKING:
    import torch

PREFIX = "base_model.model."
"""Of every weight's name in a model wrapped by peft."""


def placed(configuration: Configuration, modules: Mapping[str, PeftModule]) -> list[Placement]:
    """What is really there: a module of size 0 is not."""
    return [p for p in configuration.placements if p.settings[modules[p.module].size]]


def as_shipped(bundle: Bundle) -> Bundle:
    """The bundle with the plain LoRA that its training-time methods have made."""
    modules = bundle.workbench.modules
    configuration, trained = shipping.shipped(bundle.trial.configuration, bundle.trained, modules)
    trial = replace(bundle.trial, configuration=configuration)
    return replace(bundle, trial=trial, trained=trained)


def only_lora(configuration: Configuration, modules: Mapping[str, PeftModule]) -> bool:
    """Whether peft can express the configuration: some LoRA, and nothing else but the head."""
    found = placed(configuration, modules)
    return bool(found) and all(placement.module == "lora" for placement in found)


def arguments(bundle: Bundle) -> dict[str, Any]:
    """Keyword arguments of `LoraConfig`; rank and alpha per site by its anchored full name.

    A pattern of peft is matched at the end of a name, so that `output.dense` would also mean
    `attention.output.dense`. The task type is left out, because with it peft picks the head.
    """
    bench = bundle.workbench
    ranks: dict[str, float] = {}
    alphas: dict[str, float] = {}
    for placement in placed(bundle.trial.configuration, bench.modules):
        path = bench.backbone.site(placement.site).path
        ranks[path] = int(placement.settings["rank"])
        alphas[path] = _whole(ranks[path] * float(placement.settings["scaling"]))
    rank, alpha = _most_common(ranks.values()), _most_common(alphas.values())
    found: dict[str, Any] = {
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": list(ranks),
        "rank_pattern": {_key(path): r for path, r in ranks.items() if r != rank},
        "alpha_pattern": {_key(path): a for path, a in alphas.items() if a != alpha},
        "modules_to_save": list(bench.checkpoint.head),
    }
    if _is_transposed(bench.checkpoint.model, ranks):
        found["fan_in_fan_out"] = True
    return found


def weights(bundle: Bundle, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of one configuration under their names in peft."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith("head:"):
            found[PREFIX + name.removeprefix("head:")] = tensor
        else:
            site, _, matrix = name.split(":")
            path = bundle.workbench.backbone.site(site).path
            found[f"{PREFIX}{path}.lora_{matrix}.weight"] = tensor
    return found


def _most_common(values: Iterable[float]) -> float:
    return Counter(values).most_common(1)[0][0]


def _whole(value: float) -> float:
    """Without what is lost when an alpha is divided by a rank and multiplied again."""
    value = round(value, 9)
    return int(value) if value.is_integer() else value


def _key(path: str) -> str:
    return "^" + re.escape(path)


def _is_transposed(model: Any, paths: Iterable[str]) -> bool:
    """Whether the linears hold their weight as [in, out], as those of GPT-2 do."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(model.get_submodule(path), Conv1D) for path in paths)
