"""A study's file is an Optuna journal that any reader of such journals opens as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from autopeft.study.ledger import Ledger, measurements_json
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


def asked(journal: Path, path: str) -> Any:
    """What the dashboard answers a browser that asks for the path, as JSON."""
    module = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    storage = JournalStorage(JournalFileBackend(str(journal)))
    environment: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environment)
    statuses: list[str] = []
    body = module.wsgi(storage)(environment, lambda status, *_: statuses.append(status))
    answer = json.loads(b"".join(body))
    assert statuses == ["200 OK"]
    return answer


def test_the_dashboard_shows_the_study_and_leaves_the_file_as_it_is(journal: Path) -> None:
    before = journal.read_bytes()
    (study,) = asked(journal, "/api/studies")["study_summaries"]
    assert study["directions"] == [o.direction for o in fixture.OBJECTIVES]
    shown = asked(journal, f"/api/studies/{study['study_id']}")
    assert shown["objective_names"] == [o.name for o in fixture.OBJECTIVES]
    assert [t["state"] for t in shown["trials"]] == ["Complete", "Complete", "Fail"]
    expected = [m.value for m in fixture.trials()[0].objectives.values()]
    assert shown["trials"][0]["values"] == pytest.approx(expected)
    assert journal.read_bytes() == before
