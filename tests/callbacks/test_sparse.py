"""The choice of single weights: held still, then the most sensitive ones, then trained alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from autopeft.callbacks.sparse import Choice, layers_of
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.training.loop import Trained, train
from autopeft.types import Configuration, Placement
from tests import toy_task

STEPS = 10


def pack_of(scoring: Scoring, *entries: int, **options: Any) -> Any:
    piece = replace(scoring.modules["sparse"], method=lambda: Choice(**options))
    configurations = [
        Configuration(
            tuple(Placement(s.name, "sparse", {"entries": n}) for s in scoring.linears), 5e-3
        )
        for n in entries
    ]
    return scoring.pack(configurations, modules={"sparse": piece})


class Recorder(Callback):
    """Values and places after every step, and the squared gradients that the choice has seen."""

    def __init__(self) -> None:
        self.values: list[torch.Tensor] = []
        self.places: list[list[torch.Tensor]] = []
        self.sums: list[torch.Tensor] = []

    def after_backward(self, run: Run, step: int) -> None:
        self.sums.append(layers_of(run)[0].sums.clone())

    def after_step(self, run: Run, step: int) -> None:
        layers = layers_of(run)
        self.values.append(torch.stack([layer.values.detach().clone() for layer in layers]))
        self.places.append([layer.places.clone() for layer in layers])


def test_values_are_still_until_places_are_chosen_and_places_stay() -> None:
    scoring, recorder = toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1), Recorder()
    pack = pack_of(scoring, 6, 3, steps=2)
    scoring.train(pack, callbacks=[recorder])
    still = [not values.any() for values in recorder.values]
    assert still == [True] * 2 + [False] * (STEPS - 2)
    assert not recorder.values[-1][:, 1, 3:].any(), "padding stays zero"
    for before, after in zip(recorder.places[1:], recorder.places[2:], strict=False):
        assert all(a.equal(b) for a, b in zip(before, after, strict=True))
    sums = recorder.sums[1]
    for k, n in enumerate((6, 3)):
        chosen = recorder.places[-1][0][k, :n]
        assert sums[k][chosen].min() >= sums[k].sort(descending=True).values[n - 1]
    assert recorder.sums[2].numel() == 0, "they are freed"


def test_sums_are_those_of_the_frozen_weight() -> None:
    scoring, recorder = (
        toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1, dtype=torch.float64),
        Recorder(),
    )
    pack = pack_of(scoring, 6, steps=1)
    scoring.train(pack, callbacks=[recorder])
    weight = scoring.model.get_submodule(scoring.linears[0].path).weight.requires_grad_()
    split = scoring.splits[0]
    rows = next(iter(scoring.rows(1)))
    scoring.model(**split.batch(rows), labels=split.labels[rows]).loss.backward()
    torch.testing.assert_close(recorder.sums[0][0], weight.grad.square().flatten())


def test_the_only_weights_that_matter_are_chosen() -> None:
    """A layer whose first linear reads two numbers, and of which two neurons are read."""
    scoring = toy_task.scoring(["1.mlp.up"], steps=STEPS, layers=2)
    layer = scoring.model.get_submodule(scoring.backbone.layers[1])
    read, used = torch.tensor([3, 9]), torch.tensor([4, 30])
    with torch.no_grad():
        for parameter in layer.attention.output.LayerNorm.parameters():
            parameter.masked_fill_(~torch.isin(torch.arange(16), read), 0)
        layer.output.dense.weight.masked_fill_(~torch.isin(torch.arange(32), used), 0)
    pack = pack_of(scoring, 4)
    scoring.train(pack)
    places = {pack.sites[k].name: found.places[0].tolist() for k, found in pack.layers.items()}
    assert places["1.mlp.up"] == [4 * 16 + 3, 4 * 16 + 9, 30 * 16 + 3, 30 * 16 + 9]


def test_a_configuration_chooses_alone_as_in_a_pack() -> None:
    scoring = toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1, dtype=torch.float64)
    together, alone = pack_of(scoring, 9, 4), pack_of(scoring, 4)
    for pack in (together, alone):
        scoring.train(pack)
    for key, value in alone.export(0).items():
        torch.testing.assert_close(together.export(1)[key], value, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("step", [2, 6])
def test_a_choice_goes_on_in_another_pack(step: int) -> None:
    """Before the places are chosen and after."""
    scoring = toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1, dtype=torch.float64)
    training = scoring.splits[0]
    few = toy_task.split(training.batch(list(range(4)))["input_ids"], training.labels[:4])

    def packed(*entries: int, **options: Any) -> list[Trained]:
        return train(
            scoring.model,
            pack_of(scoring, *entries, steps=4),
            task=scoring.task,
            protocol=replace(scoring.protocol, rungs=(step / STEPS, 1.0)),
            splits=(training, few),
            **options,
        )

    halves = [*packed(5, until=step), *packed(2, 7, until=step)]
    assert [bool(half.paused.memory) for half in halves] == [step < 4] * 3
    ended = packed(7, 5, since=[halves[2], halves[0]])
    for found, expected in zip(ended, packed(7, 5), strict=True):
        assert found.paused.memory == {}
        for key, value in expected.paused.tensors.items():
            torch.testing.assert_close(found.paused.tensors[key], value, rtol=1e-6, atol=1e-12)


def test_the_choice_is_made_in_a_training_of_any_length() -> None:
    for steps, first in ((1, 1), (2, 1), (8, 4), (40, 5), (400, 20)):
        run: Any = type("Short", (), {"steps": steps})
        assert Choice().first(run) == first
