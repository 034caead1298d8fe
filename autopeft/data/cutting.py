"""Cutting one data set into search-train, search-validation and report."""

from __future__ import annotations

from dataclasses import dataclass

from autopeft.data.labels import CLASSIFICATION, Labels
from autopeft.data.options import DataOptions
from autopeft.data.splits import cap, carve, drop_repeats, drop_shared
from autopeft.digest import seed_of
from autopeft.errors import UsageError
from autopeft.types import Examples

FEWEST_ROWS = 20
"""Training rows below which no split is worth carving."""
CARVED_SHARE = 0.2
"""Share of the training rows that a carved split takes at most."""


@dataclass(frozen=True)
class Splits:
    """The three splits; no text is in two of them."""

    train: Examples
    validation: Examples
    report: Examples


@dataclass(frozen=True)
class Cutter:
    """What every cut of one data set has in common."""

    where: str
    """What messages call the train file."""
    labels: Labels
    options: DataOptions
    notes: list[str]
    """Gains a sentence about every row that is dropped."""

    def cut(self, train: Examples, report: Examples | None) -> Splits:
        """The splits; the report split is carved too when there is none."""
        train = self._without_repeats(train)
        if report is None:
            train, report = self._carve_report(train)
        else:
            train = self._without_shared(train, report)
        rest, validation = self._carve_validation(train)
        return Splits(self._capped(rest), validation, report)

    def _without_repeats(self, train: Examples) -> Examples:
        kept = drop_repeats(train)
        self._note_dropped(len(train) - len(kept), "whose texts occur in an earlier row")
        return kept

    def _without_shared(self, train: Examples, report: Examples) -> Examples:
        """Training rows that are not in the report split; UsageError when a class is gone."""
        kept = drop_shared(train, report)
        self._note_dropped(len(train) - len(kept), "that are in the report split too")
        check_enough(len(kept), self.where)
        gone = set(train.labels) - set(kept.labels)
        if gone and self._stratified:
            raise UsageError(
                f"Every row of class `{self.labels.classes[int(min(gone))]}` of `{self.where}` is"
                " in the report split too.",
                hint="Give a test file that shares no rows with the train file.",
            )
        return kept

    def _carve_report(self, train: Examples) -> tuple[Examples, Examples]:
        check_enough(len(train), self.where)
        rest, report = self._carve(train, round(CARVED_SHARE * len(train)), "report")
        self.notes.append(f"The report split is {len(report)} rows carved from `{self.where}`.")
        return rest, report

    def _carve_validation(self, train: Examples) -> tuple[Examples, Examples]:
        rows = min(self.options.validation_rows, round(CARVED_SHARE * len(train)))
        return self._carve(train, rows, "validation")

    def _carve(self, train: Examples, rows: int, split: str) -> tuple[Examples, Examples]:
        return carve(train, rows, stratified=self._stratified, seed=self._seed(split))

    def _capped(self, train: Examples) -> Examples:
        rows = self.options.train_rows
        return cap(train, rows, stratified=self._stratified, seed=self._seed("train"))

    @property
    def _stratified(self) -> bool:
        return self.labels.task == CLASSIFICATION

    def _seed(self, split: str) -> int:
        return seed_of(self.options.seed, split)

    def _note_dropped(self, rows: int, which: str) -> None:
        if rows:
            self.notes.append(f"Rows {which} dropped from `{self.where}`: {rows}.")


def check_enough(rows: int, where: str) -> None:
    """UsageError when there are too few rows to carve splits from."""
    if rows < FEWEST_ROWS:
        raise UsageError(
            f"`{where}` has only {rows} different rows to train on.",
            hint=f"At least {FEWEST_ROWS} are needed; a few hundred make a useful search.",
        )
