"""A search over methods that move their ranks while they train, interrupted between the rungs."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from autopeft import weights
from autopeft.describe import as_shipped, size_of
from autopeft.errors import Interrupted
from autopeft.export.trial import export
from autopeft.search import search
from autopeft.study import results
from autopeft.types import Configuration, Results, TrialRecord
from tests import tiny_bundle
from tests.listener import Listener

SPACE = """\
name: mine
modules: {adalora: {live: 0.5}, increlora: {live: 0.5}, dsl: {live: 0.5}}
dimensions:
  method: {choice: [adalora, increlora, dsl]}
  adalora.rank: {choice: [0, 2, 4], when: {method: adalora}}
  increlora.rank: {choice: [0, 2, 4], when: {method: increlora}}
  dsl.rank: {choice: [0, 2, 4], when: {method: dsl}}
  learning_rate: {float: [1.0e-3, 6.0e-3], log: true}
"""


class Impatient(Listener):
    """Stops after the second pack: some trials are at the first rung by then."""

    packs = 0

    def stop_requested(self) -> bool:
        self.packs += 1
        return self.packs == 2


def module_of(trial: TrialRecord) -> str:
    return next((p.module for p in trial.configuration.placements), "")


def parameters(configuration: Configuration, found: Results) -> int:
    """Of plain LoRA alone: r (d_in + d_out) at every site."""
    assert {placement.module for placement in configuration.placements} <= {"lora"}
    sites = [(p, found.backbone.site(p.site)) for p in configuration.placements]
    return sum(int(p.settings["rank"]) * (s.in_features + s.out_features) for p, s in sites)


def moved(found: Results) -> list[TrialRecord]:
    return [t for t in found.trials if module_of(t) in ("adalora", "dsl", "increlora")]


def test_methods_compete_and_an_interruption_changes_nothing(tmp_path: Path) -> None:
    place = tiny_bundle.material(tmp_path)
    (tmp_path / "mine.yaml").write_text(SPACE)
    options = {
        "space": str(tmp_path / "mine.yaml"),
        "sampler": "random",
        "trials": 8,
        "steps": 8,
        "budget": 90.0,
    }
    given = tiny_bundle.settings(place, **options)
    whole = search.run(given, tmp_path / "whole.journal", Listener())
    assert len({module_of(trial) for trial in moved(whole)}) >= 2
    for trial in moved(whole):
        counted = {name: found.value for name, found in trial.measurements.items()}
        assert 0 < counted["shipped"] < counted["trainable"]
        assert counted["memory_predicted"] > 0
        assert trial.objectives["trainable_parameters"].value > 0
        assert parameters(as_shipped(trial), whole) == counted["shipped"]
    for trial in whole.trials:
        assert ("shipped" in trial.measurements) == (trial in moved(whole))
        assert ("shipped" in trial.provenance) == (trial in moved(whole))
    path = tmp_path / "s.journal"
    with pytest.raises(Interrupted):
        search.run(given, path, Impatient())
    assert any(weights.folder(path).glob("paused-*"))
    found = search.run(given, path, Listener())
    assert [t.digest for t in found.trials] == [t.digest for t in whole.trials]
    for mine, theirs in zip(found.trials, whole.trials, strict=True):
        assert mine.measurements["score"] == theirs.measurements["score"]
        assert mine.measurements.get("shipped") == theirs.measurements.get("shipped")
        assert mine.provenance.get("shipped") == theirs.provenance.get("shipped")
    chosen = moved(results.snapshot(path))[0]
    export(path, str(chosen.number), "peft", tmp_path / "out")
    written = load_file(tmp_path / "out" / "adapter_model.safetensors")
    ranks = sorted(len(tensor) for name, tensor in written.items() if "lora_A" in name)
    assert ranks == sorted(size_of(p) for p in as_shipped(chosen).placements)
