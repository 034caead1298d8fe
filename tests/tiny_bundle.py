"""Trained bundles of tiny models, from a checkpoint and a data set in a folder."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from autopeft import workbench
from autopeft.export.bundle import Bundle
from autopeft.settings import Settings
from autopeft.training.loop import train
from autopeft.training.pack import Job, Pack
from autopeft.types import Configuration, Measured, Placement, TrialRecord
from autopeft.workbench import Workbench
from tests import tiny_models

WORDS = [f"w{i}" for i in range(tiny_models.VOCABULARY - 4)]
STEPS = 6
RATE = 0.02


def checkpoint(folder: Path, architecture: str, *, seed: int = 0) -> str:
    """A random model and a tokenizer of words, saved there; gives the folder."""
    torch.manual_seed(seed)
    model = tiny_models.ARCHITECTURES[architecture](3)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.base_model.save_pretrained(folder)
    tokenizer(architecture).save_pretrained(folder)
    return str(folder)


def tokenizer(architecture: str) -> PreTrainedTokenizerFast:
    """One token per word; pairs are told apart as BERT does."""
    vocabulary = {name: i for i, name in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
        model_input_names=[*names, "token_type_ids"] if architecture == "bert" else names,
    )


def dataset(file: Path, *, pairs: bool = False, numbers: bool = False) -> str:
    """Rows that can be learned: the first word decides the label; gives the path."""
    draw = random.Random(0)
    lines = []
    for _ in range(120):
        words = draw.choices(WORDS, k=draw.randint(3, 12))
        kind = int(words[0][1:]) % 3
        row: dict[str, Any] = {"text": " ".join(words)}
        if pairs:
            row["other"] = " ".join(draw.choices(WORDS, k=4))
        row["label"] = kind + 0.25 if numbers else "abc"[kind]
        lines.append(json.dumps(row))
    file.write_text("\n".join(lines))
    return str(file)


def material(folder: Path) -> Path:
    """A folder with a checkpoint and rows, for `settings`."""
    checkpoint(folder / "model", "bert")
    dataset(folder / "rows.jsonl")
    return folder


def settings(material: Path, **changed: Any) -> Settings:
    """A search of seconds on the material."""
    given: dict[str, Any] = {
        "model": str(material / "model"),
        "dataset": str(material / "rows.jsonl"),
        "budget": 20.0,
        "trials": 12,
        "steps": 4,
        "batch": 8,
        "length": 16,
        "validation_rows": 24,
        "pack": 4,
        "device": "cpu",
        "confirm": False,
    }
    return Settings(**{**given, **changed})


def bench(folder: Path, architecture: str, **options: Any) -> Workbench:
    """A workbench on a checkpoint and a data set made in the folder."""
    pairs, numbers = options.pop("pairs", False), options.pop("numbers", False)
    data = dataset(folder / "rows.jsonl", pairs=pairs, numbers=numbers)
    columns = ("text", "other") if pairs else ("text",)
    given = {"steps": STEPS, "batch": 8, "length": 16, "validation_rows": 24, **options}
    settings = Settings(
        model=checkpoint(folder / "base", architecture),
        dataset=data,
        text=columns,
        label="label",
        device="cpu",
        offline=True,
        **given,
    )
    return workbench.build(settings)


def placed(
    bench: Workbench, module: str, sizes: Sequence[int], *, layers: Sequence[int] = (0, 1, 2)
) -> list[Placement]:
    """The module on every site it fits in those layers, its size taken from the list in turn."""
    piece = bench.modules[module]
    sites = [s for s in bench.backbone.sites if s.kind == piece.kind and s.layer in layers]
    return [
        Placement(s.name, module, {**piece.defaults, piece.size: sizes[i % len(sizes)]})
        for i, s in enumerate(sites)
    ]


def bundle(bench: Workbench, placements: Sequence[Placement], *, seed: int = 3) -> Bundle:
    """The placements trained alone, as the search would."""
    job = Job(Configuration(tuple(placements), RATE), seed)
    loaded, evaluator = bench.checkpoint, bench.evaluator
    pack = Pack(loaded.model, bench.backbone, [job], modules=bench.modules, head=loaded.head)
    initial = pack.export(0)
    trained = train(
        loaded.model,
        pack,
        task=bench.task,
        protocol=evaluator.protocol,
        splits=evaluator.splits,
    )[0]
    metric = bench.task.metrics[evaluator.metric]
    labels = evaluator.splits[1].labels.numpy()
    found = trained.rungs[-1].predictions.numpy()
    score = Measured(metric.value(found, labels), metric.error(found, labels))
    trial = TrialRecord(
        number=7,
        state="complete",
        origin="model",
        configuration=job.configuration,
        objectives={},
        feasible=True,
        point={},
        measurements={"score": score},
        provenance={"metric": evaluator.metric},
    )
    return Bundle("study.journal", trial, bench, seed, initial, trained.paused.tensors)
