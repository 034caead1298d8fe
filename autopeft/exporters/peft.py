"""An adapter to load: of Hugging Face peft where it is LoRA alone, else of AutoPEFT's own form.

Mixtures of modules, and a trained head without any module, have no form in peft. What a method has
cut or grown in training is written as the plain LoRA that it has become.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autopeft.errors import ExportError
from autopeft.export.bundle import Bundle
from autopeft.exporters import _check, _lora
from autopeft.types import Configuration, Exporter, PeftModule


def refuses(configuration: Configuration, modules: Mapping[str, PeftModule]) -> str:
    """Nothing: what peft cannot express is written in AutoPEFT's own form."""
    return ""


def write(bundle: Bundle, folder: Path) -> list[Path]:
    """The adapter and a README that says how to load it; checked by loading it back.

    Raises:
        ExportError: the adapter does not compute what the trial computes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = _check.fresh(bundle)
    reference = _check.expected(bundle, model, bundle.trained)
    bundle = _lora.as_shipped(bundle)
    if _lora.only_lora(bundle.trial.configuration, bundle.workbench.modules):
        files = _write_peft(bundle, model, folder)
        loaded = _load_peft(_check.fresh(bundle), folder)
    else:
        files = _write_own(bundle, model, folder)
        loaded = _load_own(_check.fresh(bundle), folder)
    _check.compare(bundle, loaded, reference, what=f"the adapter in `{folder}`")
    return files


# --- peft -------------------------------------------------------------------------------------


def _write_peft(bundle: Bundle, model: Any, folder: Path) -> list[Path]:
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    from autopeft.adapters.loading import place_of

    arguments = _lora.arguments(bundle)
    with _check.quiet():
        adapted = get_peft_model(model, LoraConfig(**arguments))
    _check_wrapped(adapted, arguments)
    set_peft_model_state_dict(adapted, _lora.weights(bundle, bundle.trained))
    config: Any = adapted.peft_config["default"]
    # peft shortens a long list of full names to endings of names; the full ones are clearer.
    config.target_modules = arguments["target_modules"]
    config.base_model_name_or_path = place_of(bundle.workbench.checkpoint.source)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    names = [folder / "adapter_config.json", folder / "adapter_model.safetensors"]
    return [*names, _readme(bundle, folder, PEFT_LOADING)]


def _check_wrapped(adapted: Any, arguments: Mapping[str, Any]) -> None:
    """ExportError when peft adapts other modules than it was told to."""
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper

    for kind, wanted in ((LoraLayer, "target_modules"), (ModulesToSaveWrapper, "modules_to_save")):
        found = {
            path.removeprefix(_lora.PREFIX)
            for path, module in adapted.named_modules()
            if isinstance(module, kind)
        }
        if different := sorted(found.symmetric_difference(arguments[wanted])):
            raise ExportError(f"peft cannot tell `{different[0]}` from modules of a like name")


def _load_peft(model: Any, folder: Path) -> Any:
    from peft import PeftModel

    with _check.quiet():
        return PeftModel.from_pretrained(model, str(folder))


# --- AutoPEFT's own form ----------------------------------------------------------------------


def _write_own(bundle: Bundle, model: Any, folder: Path) -> list[Path]:
    from autopeft.adapters import loading
    from autopeft.training import masks

    bench = bundle.workbench
    configuration = bundle.trial.configuration
    loading.attach(model, configuration, head=bench.checkpoint.head, seed=bundle.seed)
    model.autopeft.restore(0, bundle.trained)
    source = loading.place_of(bench.settings.model)
    about = {"study": bundle.study, "trial": bundle.trial.number}
    files = loading.save(model, folder, source=source, about=about)
    cut = any(masks.cuts(model.autopeft).values())
    return [*files, _readme(bundle, folder, OWN_LOADING + RESIZING if cut else OWN_LOADING)]


def _load_own(model: Any, folder: Path) -> Any:
    from autopeft.adapters import loading

    return loading.load(folder, model)


# --- How to load it ---------------------------------------------------------------------------

PEFT_LOADING = """\
from peft import PeftModel
from transformers import {architecture}

model = {architecture}.from_pretrained(
    {source}, num_labels={outputs}, pad_token_id={pad}
)
model = PeftModel.from_pretrained(model, "path/of/this/folder").eval()
"""
OWN_LOADING = """\
import autopeft

model = autopeft.load("path/of/this/folder")
"""
RESIZING = """\
model = autopeft.resize(model)  # without the heads and neurons that autopeft.json names as cut
"""
README = """\
---
base_model: {source}
library_name: {library}
---

# Adapter of trial {number}

Found by AutoPEFT in the study `{study}`. {labels}

```python
{loading}```
"""


def _readme(bundle: Bundle, folder: Path, loading: str) -> Path:
    """Replace the form that peft writes by what is known."""
    from autopeft.adapters.loading import place_of

    bench = bundle.workbench
    source = json.dumps(place_of(bench.checkpoint.source))
    text = loading.format(
        architecture=bench.task.architecture,
        source=source,
        outputs=bench.task.outputs(bench.data),
        pad=bench.checkpoint.tokenizer.pad_token_id,
    )
    names = ", ".join(f"{i} = {name}" for i, name in enumerate(bench.data.classes))
    path = folder / "README.md"
    path.write_text(
        README.format(
            source=source,
            library="peft" if loading is PEFT_LOADING else "autopeft",
            number=bundle.trial.number,
            study=bundle.study,
            labels=f"Its outputs are {names}." if names else "Its output is a number.",
            loading=text,
        ),
        encoding="utf-8",
    )
    return path


EXPORTER = Exporter(
    label="peft adapter (LoRA), or one for autopeft.load (mixtures)",
    refuses=refuses,
    write=write,
)
