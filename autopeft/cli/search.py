"""`autopeft search`: create a study or continue it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autopeft.cli import options
from autopeft.cli.options import option
from autopeft.settings import Settings


def search(
    context: typer.Context,
    model: options.Model = "",
    dataset: options.Dataset = "",
    text: options.Text = None,
    label: options.Label = "",
    task: options.Task = "auto",
    metric: Annotated[
        str, option("--metric", metavar="NAME", help="What to score [default: the task's first]")
    ] = "",
    space: Annotated[
        str,
        option("-s", "--space", metavar="NAME", help="Search space or .yaml file [default: mixed]"),
    ] = "mixed",
    objective: Annotated[
        list[str] | None,
        option(
            "--objective",
            metavar="NAME",
            help="To trade off; repeat it [default: accuracy, trainable_parameters, peak_memory]",
        ),
    ] = None,
    sampler: Annotated[
        str,
        option("--sampler", metavar="NAME", help="gp, saas, tpe, nsga2 or random [default: gp]"),
    ] = "gp",
    warm_start: Annotated[
        str,
        option(
            "--warm-start",
            metavar="STUDY",
            help="Begin with what an earlier study found, of another task or model",
        ),
    ] = "",
    trials: Annotated[
        int,
        option(
            "-n",
            "--trials",
            metavar="N",
            help="Trials in all, the defaults included [default: 18 on a CPU, 64 on a GPU]",
        ),
    ] = 0,
    budget: Annotated[
        str,
        option(
            "--budget",
            metavar="PERCENT",
            help="Most trained parameters, such as 0.5% of the model's [default: 100%]",
        ),
    ] = "100%",
    memory: Annotated[
        str,
        option(
            "--memory", metavar="SIZE", help="Most peak memory, such as 24GB [default: no limit]"
        ),
    ] = "",
    timeout: Annotated[
        str,
        option(
            "--timeout",
            metavar="TIME",
            help="Start no more packs after 90s, 30min or 2h [default: no limit]",
        ),
    ] = "",
    seeds: Annotated[
        int, option("--seeds", metavar="N", help="Trainings of each trial [default: 1]")
    ] = 1,
    seed: options.Seed = 0,
    proxy: Annotated[
        str,
        option(
            "--proxy",
            metavar="NAME",
            help="short; none: all train three epochs, none is stopped [default: short]",
        ),
    ] = "short",
    steps: Annotated[
        int,
        option(
            "--steps",
            metavar="N",
            help="Training steps of a trial [default: 100; GPU 300; quickstart 60]",
        ),
    ] = 0,
    batch: options.Batch = 16,
    length: options.Length = 0,
    train_batch: Annotated[
        int,
        option(
            "--train-batch", metavar="N", help="Rows that memory is stated for [default: --batch]"
        ),
    ] = 0,
    train_length: Annotated[
        int,
        option(
            "--train-length",
            metavar="N",
            help="Tokens that memory is stated for [default: --length]",
        ),
    ] = 0,
    train_precision: options.TrainPrecision = "",
    gradient_checkpointing: options.Checkpointing = False,
    validation_rows: Annotated[
        int, option("--validation-rows", metavar="N", help="Most rows to score on [default: 400]")
    ] = 400,
    train_rows: options.TrainRows = 0,
    pack: Annotated[
        int,
        option(
            "--pack",
            metavar="N",
            help="Most trials trained at once; 0 to measure what pays [default: 0]",
        ),
    ] = 0,
    no_early_stopping: Annotated[
        bool,
        option(
            "--no-early-stopping",
            help="Train to the end even what has lost its chance to end on the front",
        ),
    ] = False,
    no_confirm: Annotated[
        bool,
        option(
            "--no-confirm",
            help="Do not train what is recommended, and its rivals, anew on the report split",
        ),
    ] = False,
    trunk_cache: Annotated[
        str,
        option(
            "--trunk-cache",
            metavar="SIZE",
            help="Keep outputs of frozen layers between epochs; 0 for none [default: 1GB]",
        ),
    ] = "1GB",
    trunk_folder: Annotated[
        str,
        option(
            "--trunk-folder",
            metavar="PATH",
            help="Keep them in a file there instead [default: in memory]",
        ),
    ] = "",
    device: options.Device = "",
    dtype: options.Dtype = "",
    offline: options.Offline = False,
    study: Annotated[
        str,
        option(
            "--study",
            metavar="PATH",
            help="File to create or continue [default: $AUTOPEFT_STUDY, else MODEL-DATA.journal]",
        ),
    ] = "",
    json: Annotated[bool, option("--json", help="Print one JSON line per finished trial")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Search configurations; the same command continues a study.

    Prints the Pareto front. Without any option: MiniLM-L6 on docstrings of installed packages, in
    a few minutes on a CPU.
    """
    from autopeft import budget as units
    from autopeft.cli.session import run

    settings = Settings(
        model=model,
        dataset=dataset,
        text=tuple(text or ()),
        label=label,
        task=task,
        metric=metric,
        space=space,
        objectives=tuple(objective) if objective else Settings.objectives,
        budget=units.percent(budget),
        memory=units.size(memory) if memory else 0,
        sampler=sampler,
        warm_start=warm_start,
        trials=trials,
        timeout=units.seconds(timeout) if timeout else 0.0,
        seeds=seeds,
        seed=seed,
        proxy=proxy,
        steps=steps,
        batch=batch,
        length=length,
        train_batch=train_batch,
        train_length=train_length,
        train_precision=train_precision,
        gradient_checkpointing=gradient_checkpointing,
        validation_rows=validation_rows,
        train_rows=train_rows,
        pack=pack,
        early_stopping=not no_early_stopping,
        confirm=not no_confirm,
        trunk_cache=0 if trunk_cache == "0" else units.size(trunk_cache, option="--trunk-cache"),
        trunk_folder=trunk_folder,
        device=device,
        dtype=dtype,
        offline=offline,
    )
    run(settings, Path(study) if study else None, str(context.obj), quiet=quiet, as_json=json)
