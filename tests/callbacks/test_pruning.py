"""Pruning: what is dead is cut, never more than the share, and what is cut stays cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from autopeft.callbacks.pruning import PackedHeads, PackedNeurons, Pruning, cut, smallest
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.training.loop import Trained, train
from autopeft.training.masks import PackedMasks, cuts
from autopeft.types import Configuration, Placement, Site
from tests import toy_task

STEPS = 8


def pack_of(scoring: Scoring, *cuts: tuple[int, int], **options: Any) -> Any:
    """Configurations that cut such percentages of heads and neurons, with some LoRA."""
    modules = dict(scoring.modules)
    kinds = {"cut_heads": (PackedHeads, False), "cut_neurons": (PackedNeurons, True)}
    for name, (kind, together) in kinds.items():
        made = lambda k=kind, t=together: Pruning(k, t, **options)  # noqa: E731
        modules[name] = replace(modules[name], method=made)
    configurations = []
    for heads, neurons in cuts:
        placed = [
            Placement(site.name, name, {"cut": percent})
            for site in scoring.backbone.sites
            for kind, name, percent in (
                ("attention", "cut_heads", heads),
                ("mlp", "cut_neurons", neurons),
            )
            if site.kind == kind and percent
        ]
        lora = Placement(scoring.linears[0].name, "lora", {"rank": 2, "scaling": 2.0})
        configurations.append(Configuration((lora, *placed), 5e-3))
    return scoring.pack(configurations, modules=modules)


class Recorder(Callback):
    """Masks of every site after each step."""

    def __init__(self) -> None:
        self.masks: list[dict[str, torch.Tensor]] = []

    def after_step(self, run: Run, step: int) -> None:
        self.masks.append(
            {
                run.pack.sites[key].name: layer.masks.detach().clone()
                for key, layer in run.pack.layers.items()
                if isinstance(layer, PackedMasks)
            }
        )


def test_a_dead_head_and_dead_neurons_are_cut() -> None:
    scoring = toy_task.scoring(steps=STEPS, layers=2)
    dead_heads, dead_neurons = {0: 1, 1: 0}, {0: [3, 20, 21], 1: [31]}
    for index, path in enumerate(scoring.backbone.layers):
        layer = scoring.model.get_submodule(path)
        start = 8 * dead_heads[index]
        layer.attention.output.dense.weight[:, start : start + 8] = 0
        layer.output.dense.weight[:, dead_neurons[index]] = 0
    pack = pack_of(scoring, (50, 34), learn=0.75)
    scoring.train(pack)
    found = cuts(pack)
    assert sum(len(found[f"{i}.mlp"]) for i in range(2)) == int(0.34 * 64)
    for index, head in dead_heads.items():
        assert found[f"{index}.attention"] == [head]
        assert set(dead_neurons[index]) <= set(found[f"{index}.mlp"])


def test_masks_learn_and_are_then_0_or_1_and_held() -> None:
    scoring, recorder = toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1), Recorder()
    scoring.train(pack_of(scoring, (50, 34), (0, 10)), callbacks=[recorder])
    for name, masks in recorder.masks[0].items():
        assert ((masks[0] - 1).abs() > 0).any(), name
    *_, last = recorder.masks
    for name, first in recorder.masks[1].items():
        assert set(first[0].tolist()) == {0.0, 1.0}
        assert all(masks[name].equal(first) for masks in recorder.masks[1:])
    zeros = {name: (masks == 0).sum(1).tolist() for name, masks in last.items()}
    assert zeros["0.mlp"] == [10, 3]
    assert zeros["0.attention"][0] == 1


def test_the_penalty_is_in_the_gradient_and_not_in_the_loss() -> None:
    """Where the task says nothing, masks fall by their learning rate; the loss is the task's."""
    scoring = toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1)
    layer = scoring.model.get_submodule(scoring.backbone.layers[0])
    layer.output.dense.weight[:, 5] = 0
    losses, masks = [], []
    protocol = replace(scoring.protocol, steps=2, weight_decay=0.0, rungs=(0.5, 1.0))
    for penalty in (0.0, 1e-4):
        recorder, pack = Recorder(), pack_of(scoring, (0, 34), learn=1.0, penalty=penalty)
        (found,) = train(
            scoring.model,
            pack,
            task=scoring.task,
            protocol=protocol,
            splits=scoring.splits,
            callbacks=[recorder],
        )
        losses.append(found.rungs[0].train_loss)
        masks.append(recorder.masks[0]["0.mlp"][0, 5].item())
    assert losses[0] == losses[1]
    assert masks[0] == 1 > masks[1]


def test_heads_are_cut_by_layer_and_neurons_in_all_layers_together() -> None:
    def layers(kind: type[PackedMasks], *masks: list[float], percent: int) -> list[PackedMasks]:
        found = []
        for index, row in enumerate(masks):
            site = Site(index, "a", "mlp", "", 8, 8, parts=len(row), reader="r")
            layer = kind(site, [None, {"cut": percent}], [0, 1])
            layer.masks.data[1] = torch.tensor(row)
            found.append(layer)
        return found

    rows = [0.5, 0.4, -0.1, 0.9], [0.7, 0.6, 0.8, 0.9]
    together = layers(PackedNeurons, *rows, percent=49)
    with torch.no_grad():
        cut(together, 1)
    assert [layer.masks[1].tolist() for layer in together] == [[0, 0, 0, 1], [1, 1, 1, 1]]
    assert all(not layer.masks[0].any() for layer in together), "the neighbour has none"
    apart = layers(PackedHeads, *rows, percent=50)
    with torch.no_grad():
        for layer in apart:
            cut([layer], 1)
    assert [layer.masks[1].tolist() for layer in apart] == [[1, 0, 0, 1], [0, 0, 1, 1]]


def test_ties_go_to_the_first_and_the_last_of_a_site_stays() -> None:
    ones = torch.ones(3)
    assert [gone.tolist() for gone in smallest([ones, ones], 4)] == [[True, True, False]] * 2
    assert [gone.tolist() for gone in smallest([ones, ones], 3)] == [
        [True, True, False],
        [True, False, False],
    ]
    assert [gone.tolist() for gone in smallest([ones, ones], 99)] == [[True, True, False]] * 2
    assert [gone.tolist() for gone in smallest([torch.zeros(1)], 1)] == [[False]]
    assert smallest([torch.tensor([float("nan"), 1.0])], 1)[0].tolist() == [True, False]


def test_a_neighbour_without_masks_computes_as_before_bit_for_bit() -> None:
    scoring = toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1)
    plain, beside = pack_of(scoring, (0, 0), (0, 0)), pack_of(scoring, (0, 0), (50, 34))
    for pack in (plain, beside):
        scoring.train(pack)
    for key, value in plain.export(0).items():
        assert beside.export(0)[key].equal(value), key


@pytest.mark.parametrize("step", [1, 4])
def test_pruning_goes_on_in_another_pack(step: int) -> None:
    """Before the cut and after, and each ends as it does alone."""
    scoring = toy_task.scoring(["0.mlp.up"], steps=STEPS, layers=1, dtype=torch.float64)
    training = scoring.splits[0]
    few = toy_task.split(training.batch(list(range(4)))["input_ids"], training.labels[:4])

    def packed(*shares: tuple[int, int], **options: Any) -> list[Trained]:
        return train(
            scoring.model,
            pack_of(scoring, *shares),
            task=scoring.task,
            protocol=replace(scoring.protocol, rungs=(step / STEPS, 1.0)),
            splits=(training, few),
            **options,
        )

    halves = [*packed((50, 20), until=step), *packed((0, 34), (50, 50), until=step)]
    ended = packed((50, 50), (50, 20), since=[halves[2], halves[0]])
    for found, shares in zip(ended, ((50, 50), (50, 20)), strict=True):
        (expected,) = packed(shares)
        for key, value in expected.paused.tensors.items():
            torch.testing.assert_close(found.paused.tensors[key], value, rtol=1e-6, atol=1e-12)
