"""A script that trains the trial again: `transformers`, with `peft` where it is LoRA alone.

Mixtures of modules need AutoPEFT to be installed; a LoRA script does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autopeft.export.bundle import Bundle
from autopeft.exporters import _check, _lora, _script
from autopeft.types import Configuration, Examples, Exporter, PeftModule


def refuses(configuration: Configuration, modules: Mapping[str, PeftModule]) -> str:
    """Nothing: every configuration can be trained again."""
    return ""


def write(bundle: Bundle, folder: Path) -> list[Path]:
    """The script with its data and initial weights; checked by building its model.

    Raises:
        ExportError: the script's model does not compute what the trial computes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "train.py"
    script.write_text(_script.text(bundle), encoding="utf-8")
    files = [script, *_write_data(bundle, folder), *_write_weights(bundle, folder)]
    _check_script(bundle, script)
    return files


def _write_data(bundle: Bundle, folder: Path) -> list[Path]:
    data = bundle.workbench.data
    splits = {"train": data.train, "validation": data.validation, "report": data.report}
    return [
        _write_rows(folder / f"{name}.jsonl", examples, data.classes)
        for name, examples in splits.items()
    ]


def _write_rows(path: Path, examples: Examples, classes: tuple[str, ...]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for texts, label in zip(examples.texts, examples.labels, strict=True):
            row: dict[str, Any] = dict(zip(("text", "text_pair"), texts, strict=False))
            row["label"] = classes[int(label)] if classes else label
            file.write(json.dumps(row) + "\n")
    return path


def _write_weights(bundle: Bundle, folder: Path) -> list[Path]:
    from safetensors.torch import save_file

    initial = folder / "initial.safetensors"
    if _lora.only_lora(bundle.trial.configuration, bundle.workbench.modules):
        save_file(_lora.weights(bundle, bundle.initial), initial)
        return [initial]
    save_file(dict(bundle.initial), initial)
    configuration = folder / "configuration.json"
    plain = json.dumps(bundle.trial.configuration.to_json(), indent=2) + "\n"
    configuration.write_text(plain, encoding="utf-8")
    return [initial, configuration]


def _check_script(bundle: Bundle, script: Path) -> None:
    """Build the script's model and compare it to the trial, before and after training."""
    import torch

    base = _check.fresh(bundle)
    before, after = (_check.expected(bundle, base, t) for t in (bundle.initial, bundle.trained))
    model = _built(script, torch.float32)
    _check.compare(bundle, model, before, what=f"the untrained model of `{script}`")
    if _lora.only_lora(bundle.trial.configuration, bundle.workbench.modules):
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model, _lora.weights(bundle, bundle.trained))
    else:
        model.autopeft.restore(0, bundle.trained)
    _check.compare(bundle, model, after, what=f"the model of `{script}`")


def _built(script: Path, dtype: Any) -> Any:
    """What the script's `build` gives, run as if it were imported."""
    names: dict[str, Any] = {"__name__": "autopeft_export", "__file__": str(script)}
    with _check.quiet():
        exec(compile(script.read_text("utf-8"), script, "exec"), names)
        return names["build"](dtype)


EXPORTER = Exporter(
    label="script that trains the trial again with transformers",
    refuses=refuses,
    write=write,
)
