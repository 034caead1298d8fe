"""What the user may say about a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autopeft.errors import UsageError

TaskChoice = Literal["auto", "text_classification", "text_regression"]
TASKS = ("auto", "text_classification", "text_regression")


@dataclass(frozen=True)
class DataOptions:
    """Columns, kind of task and sizes of the splits; UsageError for an impossible value."""

    text: tuple[str, ...] = ()
    """One or two column names; empty to guess."""
    label: str = ""
    """A column name; empty to guess."""
    task: TaskChoice = "auto"
    seed: int = 0
    validation_rows: int = 500
    """Largest size of the search-validation split."""
    train_rows: int = 0
    """Largest size of the search-train split; 0 keeps every row."""
    offline: bool = False
    """Never ask the Hub; what is in its local cache still loads."""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UsageError(f"There is no task `{self.task}`.", hint=f"Use {', '.join(TASKS)}.")
        if self.validation_rows < 2:
            raise UsageError(
                f"`{self.validation_rows}` validation rows cannot rank configurations.",
                hint="Use at least 2; a few hundred give a useful score.",
            )
        if self.train_rows < 0:
            raise UsageError(
                f"`{self.train_rows}` is not a number of training rows.",
                hint="Use 0 to keep every row.",
            )
        if len(self.text) > 2 or len(set(self.text)) < len(self.text):
            raise UsageError(
                f"The text columns `{', '.join(self.text)}` are not one or two different columns.",
                hint="Name `--text` once, or twice for pairs of texts.",
            )
        if self.label and self.label in self.text:
            raise UsageError(
                f"Column `{self.label}` cannot be both the text and the label.",
                hint="Name different columns with `--text` and `--label`.",
            )
