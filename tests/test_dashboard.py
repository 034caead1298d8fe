"""A study's file is an Optuna journal that any reader of such journals opens as it is."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from autopeft.ledger import Ledger, measurements_json
from tests import results_fixture as fixture


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Two finished trials and a failed one, as a search writes them."""
    path = tmp_path / "a.journal"
    directions = {o.name: o.direction for o in fixture.OBJECTIVES}
    ledger = Ledger.create(path, directions, {"dataset": fixture.HOSTILE})
    ledger.remember("validation_labels", [0, 1, 2])
    for trial in fixture.trials()[:2]:
        asked = ledger.ask_baseline(trial.configuration, "LoRA")
        record = {
            "measurements": measurements_json(trial.measurements),
            "provenance": dict(trial.provenance),
        }
        ledger.tell(asked.number, trial.objectives, record)
    failed = ledger.ask_baseline(fixture.trials()[2].configuration, "head only")
    ledger.tell_failed(failed.number, "diverged", {})
    return path


def test_optuna_alone_reads_values_states_and_names(journal: Path) -> None:
    study = optuna.load_study(
        study_name=None, storage=JournalStorage(JournalFileBackend(str(journal)))
    )
    assert study.metric_names == [o.name for o in fixture.OBJECTIVES]
    assert [d.name.lower() for d in study.directions] == [o.direction for o in fixture.OBJECTIVES]
    assert [t.state.name for t in study.trials] == ["COMPLETE", "COMPLETE", "FAIL"]
    expected = [m.value for m in fixture.trials()[0].objectives.values()]
    assert study.trials[0].values == pytest.approx(expected)
    assert [t.number for t in study.best_trials]


def test_everything_beside_the_values_is_json(journal: Path) -> None:
    study = optuna.load_study(
        study_name=None, storage=JournalStorage(JournalFileBackend(str(journal)))
    )
    json.dumps(study.user_attrs, allow_nan=False)
    for trial in study.trials:
        json.dumps([trial.params, trial.user_attrs, trial.system_attrs], allow_nan=False)
