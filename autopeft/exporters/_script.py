"""The text of `train.py`: a template with the values of one trial."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from autopeft.adapters.loading import place_of
from autopeft.adapters.resizing import FAMILIES
from autopeft.export.bundle import Bundle
from autopeft.exporters import _lora
from autopeft.types import Measured, PeftModule

WIDTH = 100
"""Longest line of the script."""
SCORES = {
    "accuracy": ("", "(predictions == labels).mean()"),
    "macro_f1": (
        "from sklearn.metrics import f1_score",
        'f1_score(labels, predictions, average="macro")',
    ),
    "matthews": (
        "from sklearn.metrics import matthews_corrcoef",
        "matthews_corrcoef(labels, predictions)",
    ),
    "spearman": ("from scipy.stats import spearmanr", "spearmanr(predictions, labels).statistic"),
    "pearson": ("from scipy.stats import pearsonr", "pearsonr(predictions, labels).statistic"),
}
"""Metric -> the import and the expression that compute it without AutoPEFT."""
CLASSIFICATION = """\
    config.problem_type = "single_label_classification"
    config.id2label = dict(enumerate(CLASSES))
    config.label2id = {name: i for i, name in enumerate(CLASSES)}"""
REGRESSION = '    config.problem_type = "regression"'
PEFT_BUILD = """\
    model = get_peft_model(model, LORA)
    if INITIAL.exists():
        set_peft_model_state_dict(model, load_file(INITIAL))"""
PEFT_BUILD_FLOAT = """\
    model = get_peft_model(model, LORA)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if INITIAL.exists():
        set_peft_model_state_dict(model, load_file(INITIAL))"""
OWN_BUILD = """\
    model = autopeft.attach(model, HERE / "configuration.json", head=HEAD, seed={seed})
    if INITIAL.exists():
        model.autopeft.restore(0, load_file(INITIAL))"""
OWN_SAVE = "autopeft.save(model, ADAPTER)"
RESIZED_SAVE = """\
autopeft.save(model, ADAPTER)
    smaller = autopeft.resize(autopeft.load(ADAPTER))
    autopeft.save_resized(smaller, HERE / "resized")
    after, before = (sum(p.numel() for p in m.base_model.parameters()) for m in (smaller, model))
    print(f"resized/: the model without what was cut, {after:,} weights instead of {before:,}")"""
RESIZED = """
It writes `resized/` too: the whole model without the heads and neurons that were cut, smaller and
faster, for `autopeft.load_resized`."""
MASKED = """
The heads and neurons that are cut stay in the model, masked: this family cannot be resized."""
PLAIN_STEPS = {"max_norm": "CLIP,", "methods": ""}
METHOD_STEPS = {
    "max_norm": "0.0 if full is None else CLIP,  # the methods clip what they have seen",
    "methods": """\
    if full is None:
        acting = autopeft.methods(model, optimiser, steps=STEPS, clip=CLIP)
        trainer.add_callback(acting)
""",
}


def text(bundle: Bundle) -> str:
    """The script."""
    asset = resources.files("autopeft.exporters").joinpath("assets/train.template")
    template = Template(asset.read_text(encoding="utf-8"))
    return template.substitute(
        _wording(bundle) | _data(bundle) | _protocol(bundle) | _adapter(bundle)
    )


def _wording(bundle: Bundle) -> dict[str, Any]:
    """What the script says about itself."""
    bench, trial = bundle.workbench, bundle.trial
    metric = bench.evaluator.metric
    found = trial.measurements.get("score", Measured(float("nan")))
    smaller = ""
    if _cuts(bundle):
        smaller = RESIZED if _resizes(bundle) else MASKED
    others = "With other\nclasses, change CLASSES and delete initial.safetensors."
    return {
        "title": f"Train trial {trial.number} of the study `{_plain(bundle.study)}` again.",
        "what": _what(bundle),
        "resized": smaller,
        "other_labels": others if bench.data.classes else "A label is a number.",
        "metric": metric.replace("_", " "),
        "metric_label": bench.task.metrics[metric].label,
        "searched": f"search: {found.value:.4f} \N{PLUS-MINUS SIGN} {found.error:.4f}",
    }


def _what(bundle: Bundle) -> str:
    labels = sorted({piece.label for piece in _types(bundle)})
    return " and ".join([", ".join(labels), "a new head"] if labels else ["a new head"])


def _types(bundle: Bundle) -> list[PeftModule]:
    """The type of every module that is really there."""
    modules = bundle.workbench.modules
    placed = _lora.placed(bundle.trial.configuration, modules)
    return [modules[placement.module] for placement in placed]


def _cuts(bundle: Bundle) -> bool:
    """Whether heads or neurons of the backbone are cut."""
    from autopeft.training.masks import PackedMasks

    stacks = [piece.stack for piece in _types(bundle)]
    return any(isinstance(stack, type) and issubclass(stack, PackedMasks) for stack in stacks)


def _resizes(bundle: Bundle) -> bool:
    """Whether what is cut can leave the model."""
    return _cuts(bundle) and bundle.workbench.backbone.family in FAMILIES


def _data(bundle: Bundle) -> dict[str, Any]:
    """How rows become tokens, labels and a score."""
    bench = bundle.workbench
    classes = bench.data.classes
    name = bench.evaluator.metric
    own = f'catalog.tasks.load("{bench.data.task}").metrics["{name}"].value(predictions, labels)'
    imported, score = SCORES.get(name, ("from autopeft import catalog", own))
    return {
        "imports": _imports(bundle, imported),
        "labels": literal("CLASSES = ", classes) if classes else "# Labels are numbers.",
        "label": 'CLASSES.index(row["label"])' if classes else 'float(row["label"])',
        "outputs": "len(CLASSES)" if classes else bench.task.outputs(bench.data),
        "problem": CLASSIFICATION if classes else REGRESSION,
        "predictions": "logits.argmax(-1)" if classes else "logits.squeeze(-1)",
        "score": score,
    }


def _imports(bundle: Bundle, metric: str) -> str:
    lora = _lora.only_lora(bundle.trial.configuration, bundle.workbench.modules)
    peft = "from peft import LoraConfig, get_peft_model, set_peft_model_state_dict"
    modules = ["torch"] if lora else ["autopeft", "torch"]
    names = ["from safetensors.torch import load_file", metric, peft if lora else ""]
    architecture = bundle.workbench.task.architecture
    used = ["AutoConfig", architecture, "AutoTokenizer", "DataCollatorWithPadding"]
    used += ["Trainer", "TrainingArguments"]
    lines = [f"import {name}" for name in modules] + sorted(name for name in names if name)
    return "\n".join([*lines, "from transformers import (", *(f"    {n}," for n in used), ")"])


def _protocol(bundle: Bundle) -> dict[str, Any]:
    """How it is trained."""
    from autopeft.training.batches import PAD_MULTIPLE, RUN

    bench, protocol = bundle.workbench, bundle.workbench.evaluator.protocol
    dtype = "torch.float32"
    if bench.checkpoint.dtype == "bfloat16":
        dtype = "torch.bfloat16 if torch.cuda.is_available() else torch.float32"
    return {
        "model": json.dumps(place_of(bench.checkpoint.source)),
        "architecture": bench.task.architecture,
        "dtype": f"DTYPE = {dtype}",
        "steps": protocol.steps,
        "batch": protocol.batch,
        "length": protocol.length,
        "run": RUN,
        "multiple": PAD_MULTIPLE[bench.checkpoint.device.type],
        "learning_rate": repr(bundle.trial.configuration.learning_rate),
        "warmup": protocol.warmup,
        "weight_decay": protocol.weight_decay,
        "clip": protocol.clip,
        "seed": protocol.seed,
    }


def _adapter(bundle: Bundle) -> dict[str, str]:
    """How the adapter is made and saved."""
    if _lora.only_lora(bundle.trial.configuration, bundle.workbench.modules):
        narrow = bundle.workbench.checkpoint.dtype != "float32"
        return {
            "adapter": _call("LORA = LoraConfig(", _lora.arguments(bundle)),
            "build": PEFT_BUILD_FLOAT if narrow else PEFT_BUILD,
            "save": "model.save_pretrained(ADAPTER, save_embedding_layers=False)",
            **PLAIN_STEPS,
        }
    acting = any(piece.method for piece in _types(bundle))
    return {
        "adapter": literal("HEAD = ", bundle.workbench.checkpoint.head),
        "build": OWN_BUILD.format(seed=bundle.seed),
        "save": RESIZED_SAVE if _resizes(bundle) else OWN_SAVE,
        **(METHOD_STEPS if acting else PLAIN_STEPS),
    }


# --- Python as text ---------------------------------------------------------------------------


def literal(start: str, values: Sequence[str] | Mapping[str, Any], indent: str = "") -> str:
    """A list or dict after `start`, on one line where it fits, as a formatter would write it."""
    if isinstance(values, Mapping):
        items, (left, right) = [f"{_key(k)}: {v!r}" for k, v in values.items()], "{}"
    else:
        items, (left, right) = [_text(value) for value in values], "[]"
    line = f"{indent}{start}{left}{', '.join(items)}{right}"
    if len(line) < WIDTH:
        return line
    inner = "".join(f"{indent}    {item},\n" for item in items)
    return f"{indent}{start}{left}\n{inner}{indent}{right}"


def _call(start: str, arguments: Mapping[str, Any]) -> str:
    """A call with one keyword argument per line; what is empty is left out."""
    lines = [start]
    for name, value in arguments.items():
        if isinstance(value, (list, dict)):
            lines += [literal(f"{name}=", value, "    ") + ","] if value else []
        else:
            lines.append(f"    {name}={value!r},")
    return "\n".join([*lines, ")"])


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _key(pattern: str) -> str:
    return f'r"{pattern}"'


def _plain(value: str) -> str:
    """Without what would end or break a docstring."""
    return "".join(c if c.isprintable() and c not in '"\\' else "_" for c in value)
