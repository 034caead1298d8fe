"""All trials as a table: one row each, numbers as they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from autopeft.errors import UsageError
from autopeft.study import trial_table
from autopeft.types import Results
from tests import results_fixture as fixture


@pytest.fixture(scope="module")
def results() -> Results:
    return fixture.of_trials(
        fixture.trials(), front_probability={"how": "by hand", "trials": {21: 0.25}}
    )


def test_parquet_holds_every_trial_with_its_numbers(results: Results, tmp_path: Path) -> None:
    found = pd.read_parquet(trial_table.write([results], tmp_path / "r.parquet"))
    assert list(found["trial"]) == list(range(40))
    assert found["state"].value_counts().to_dict() == {"complete": 38, "failed": 1, "running": 1}
    row, trial = found.iloc[21], results.trial(21)
    assert row["accuracy"] == trial.objectives["accuracy"].value
    assert row["accuracy_error"] == trial.objectives["accuracy"].error
    assert row["measured.trainable"] == trial.measurements["trainable"].value
    assert row["front_probability"] == 0.25
    assert row["dimension.first_layer"] == str(trial.point["first_layer"])
    assert pd.isna(found.iloc[38]["accuracy"])
    assert tuple(found[found["front"]]["trial"]) == tuple(sorted(results.front))


def test_several_studies_are_told_apart(results: Results, tmp_path: Path) -> None:
    other = dataclasses.replace(results, study="b.journal", trials=results.trials[:2], front=())
    found = pd.read_csv(trial_table.write([results, other], tmp_path / "r.csv"))
    assert found["study"].value_counts().to_dict() == {results.study: 40, "b.journal": 2}


def test_a_study_without_trials_is_an_empty_table(tmp_path: Path) -> None:
    path = trial_table.write([fixture.of_trials(())], tmp_path / "r.parquet")
    assert len(pd.read_parquet(path)) == 0


def test_a_folder_that_is_not_there(results: Results, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        trial_table.write([results], tmp_path / "none" / "r.parquet")
