"""What a whole search costs in ordinary fine-tuning runs, on the same data in one process.

    python -m tests.benchmarks.search_cost [--dataset ../shared/data/trec] [--trials 18]
                                           [--epochs 10] [--output FILE]

One side is HF Trainer on HF peft's LoRA r=8 on q,v: so many epochs over the training rows, batches
of 16, no evaluation on the way. The other is `autopeft search` with its defaults, one search for
every `--trials` (18 and 64): loading, importance, suggestions, rungs, scoring, confirmation and
all. Printed: seconds of both, the ratio, and the validation accuracy that each ends with.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from autopeft.search import search
from autopeft.settings import Settings
from autopeft.study import results
from autopeft.workbench import Workbench, build

BATCH = 16
RATE = 1e-3
TRIALS = (18, 64)


class Quiet:
    """A listener that prints notes of a search as they come."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.searched = 0.0
        """Seconds until the last trial was done."""

    def fact(self, name: str, text: str) -> None:
        print(f"  {name}: {text}", flush=True)

    def note(self, text: str) -> None:
        pass

    def trials(self, done: int, total: int) -> None:
        self.searched = time.perf_counter() - self.started
        if done and done % 8 == 0:
            print(f"  {done} of {total} trials after {self.searched:.0f} s", flush=True)

    def step(self, numbers: list[int], done: int, total: int) -> None:
        pass

    def finished(self, trial: Any, front: int, hypervolume: float) -> None:
        pass

    def stop_requested(self) -> bool:
        return False


def rows(bench: Workbench, index: int) -> list[dict[str, Any]]:
    """A split as HF Trainer takes it."""
    split = bench.evaluator.splits[index]
    pairs = zip(split.rows, split.labels.tolist(), strict=True)
    return [{**tokens, "labels": label} for tokens, label in pairs]


def ordinary(bench: Workbench, epochs: int) -> dict[str, float]:
    """Seconds and final accuracy of one run of HF Trainer."""
    config = peft.LoraConfig(
        r=8,
        lora_alpha=16,
        target_modules=["query", "value"],
        modules_to_save=list(bench.checkpoint.head),
    )
    model: Any = peft.get_peft_model(bench.checkpoint.model, config)
    with tempfile.TemporaryDirectory() as folder:
        options = transformers.TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            use_cpu=not torch.cuda.is_available(),
        )
        trainer = transformers.Trainer(
            model,
            options,
            train_dataset=rows(bench, 0),
            data_collator=transformers.DataCollatorWithPadding(bench.checkpoint.tokenizer),
        )
        seconds = float(trainer.train().metrics["train_runtime"])
        validation = rows(bench, 1)
        predicted = trainer.predict(validation).predictions.argmax(-1)
        right = sum(int(p) == row["labels"] for p, row in zip(predicted, validation, strict=True))
        steps = trainer.state.global_step
    return {"seconds": seconds, "steps": steps, "accuracy": 100 * right / len(validation)}


def searched(dataset: str, trials: int) -> dict[str, Any]:
    """A whole search: its seconds, and what it found."""
    listener = Quiet()
    with tempfile.TemporaryDirectory() as folder:
        given = Settings(dataset=dataset, budget=0.5, trials=trials)
        found = search.run(given, Path(folder) / "study.journal", listener)
    states = [trial.state for trial in found.trials]
    best = results.choose(found, "best").objectives["accuracy"]
    return {
        "seconds": time.perf_counter() - listener.started,
        "before_confirmation": listener.searched,
        "trials": len(states),
        "stopped": states.count("stopped"),
        "confirmed": len(found.info["confirmation"]["trials"]),
        "best": [best.value, best.error],
    }


def main() -> None:
    """Run both sides and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="../shared/data/trec")
    parser.add_argument("--trials", type=int, action="append")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if not Path(options.dataset).exists():
        raise SystemExit(f"skipped: there is no {options.dataset}")
    bench = build(Settings(dataset=options.dataset), note=lambda text: None)
    run = ordinary(bench, options.epochs)
    print(f"HF Trainer, {options.epochs} epochs: {run['seconds']:.0f} s", flush=True)
    record: dict[str, Any] = {
        "device": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "dataset": Path(options.dataset).name,
        "training_rows": len(bench.evaluator.splits[0]),
        "ordinary": run,
        "searches": [],
    }
    for trials in options.trials or TRIALS:
        found = searched(options.dataset, trials)
        found["ratio"] = found["seconds"] / run["seconds"]
        record["searches"].append(found)
        print(f"{trials} trials: {found['seconds']:.0f} s, {found['ratio']:.2f} ordinary runs")
    text = json.dumps(record, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
