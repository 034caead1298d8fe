"""From a source to the task with its three disjoint splits."""

from __future__ import annotations

from autopeft.data.columns import Columns, choose_columns
from autopeft.data.cutting import Cutter, Splits, check_enough
from autopeft.data.labels import Labels, find_labels
from autopeft.data.options import DataOptions
from autopeft.data.rows import Rows, is_labelled, read_rows
from autopeft.data.sources import Source, read_source
from autopeft.digest import of_json
from autopeft.types import TaskData


def load(source: str, options: DataOptions | None = None) -> TaskData:
    """The task in a Hub data set, a file, or a folder with train, validation and test files.

    Search-train and search-validation are carved from the train file. The report split is the
    labelled test file, else the validation file, else carved as well. Raises UsageError for
    anything that cannot be used, MissingError when the Hub is out of reach.
    """
    options = options or DataOptions()
    tables = read_source(source, offline=options.offline)
    columns = choose_columns(tables.train, text=options.text, label=options.label)
    notes = [f"Texts are read from {_names(columns.text)}, labels from `{columns.label}`."]
    rows = read_rows(tables.train, columns, notes)
    check_enough(len(rows), rows.where)
    declared = tables.train.class_names.get(columns.label, ())
    labels = find_labels(rows, columns.label, task=options.task, declared=declared)
    held_out = _report_rows(tables, columns, notes)
    report = None if held_out is None else labels.encode(held_out)
    splits = Cutter(rows.where, labels, options, notes).cut(labels.encode(rows), report)
    return task_data(tables.name, labels, splits, notes=tuple(notes))


def task_data(name: str, labels: Labels, splits: Splits, *, notes: tuple[str, ...]) -> TaskData:
    """The task with the digest of its rows, labels and splits."""
    content = [[s.texts, s.labels] for s in (splits.train, splits.validation, splits.report)]
    return TaskData(
        name=name,
        task=labels.task,
        classes=labels.classes,
        train=splits.train,
        validation=splits.validation,
        report=splits.report,
        digest=of_json([labels.task, labels.classes, content]),
        notes=notes,
    )


def _report_rows(tables: Source, columns: Columns, notes: list[str]) -> Rows | None:
    """The labelled test file, else the labelled validation file; None when there is neither."""
    found: Rows | None = None
    for table in (tables.test, tables.validation):
        if table is None:
            continue
        if found is not None:
            notes.append(f"`{table.where}` is not used, as there is a labelled test split.")
        elif is_labelled(table, columns.label):
            notes.append(f"`{table.where}` is the report split.")
            found = read_rows(table, columns, notes)
        else:
            notes.append(f"`{table.where}` has no labels and is not used.")
    return found


def _names(columns: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in columns)
