"""DAS: what the bandit learns, when the choice is final, and what is shipped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from autopeft.adapters import shipping
from autopeft.callbacks import bandit
from autopeft.callbacks.das import Das
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.training.loop import Trained, train
from autopeft.training.multiply_adds import MultiplyAdds
from autopeft.types import Configuration, Placement
from tests import toy_task

STEPS = 16


def toy(harmful: int, *, steps: int = STEPS, dtype: torch.dtype = torch.float32) -> Scoring:
    """A confident model without one of its four layers labels the rows; that layer is loud."""
    scoring = toy_task.scoring(steps=steps, dtype=dtype)
    model, path = scoring.model, scoring.backbone.layers[harmful]
    loud = [
        parameter.data
        for name, parameter in model.get_submodule(path).named_parameters()
        if "output.dense" in name
    ]
    kept = [16 * weight for weight in loud]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" in name:
                parameter.fill_(float(name.endswith("weight")))
            elif name.startswith("classifier"):
                parameter.mul_(100)
        for weight in loud:
            weight.zero_()
        data = toy_task.planted(model, scoring.backbone, [])
        for weight, value in zip(loud, kept, strict=True):
            weight.copy_(value)
    return replace(scoring, splits=(data, data))


def das(share: float = 0.25, *, size: int = 2, layers: int = 4) -> tuple[Placement, ...]:
    settings = {"bottleneck": size, "scaling": 1.0, "share": share}
    return tuple(Placement(f"{layer}.whole_layer", "das", settings) for layer in range(layers))


def lora(*layers: int) -> tuple[Placement, ...]:
    settings = {"rank": 2, "scaling": 2.0}
    return tuple(Placement(f"{layer}.mlp.up", "lora", settings) for layer in layers)


def pack_of(scoring: Scoring, *placed: tuple[Placement, ...]) -> Any:
    return scoring.pack([Configuration(p, 10 ** -(2.0 + k)) for k, p in enumerate(placed)])


class Recorder(Callback):
    """Layers that each step skips, and those that scoring after it would see, [steps, K, L]."""

    def __init__(self) -> None:
        self.trained: list[torch.Tensor] = []
        self.scored: list[torch.Tensor] = []

    def after_backward(self, run: Run, step: int) -> None:
        self.trained.append(skipped(run.pack))

    def after_step(self, run: Run, step: int) -> None:
        self.scored.append(skipped(run.pack))


def skipped(pack: Any) -> torch.Tensor:
    """Flags [K, layers]."""
    mine = [pack.layers[key] for key, site in pack.sites.items() if site.kind == "whole_layer"]
    return torch.tensor([layer.skipping() for layer in mine]).T


@pytest.mark.parametrize("harmful", [0, 2])
def test_the_planted_harmful_layer_is_found(harmful: int) -> None:
    scoring = toy(harmful, steps=24)
    pack = pack_of(scoring, das(), das(size=1), (*das(), *lora(0, 3)))
    assert scoring.train(pack) == [True] * 3
    assert skipped(pack).int().argmax(1).tolist() == [harmful] * 3
    assert skipped(pack).sum(1).tolist() == [1] * 3


def test_the_planted_harmful_layer_is_the_one_to_skip_as_a_searched_state() -> None:
    """Of the four skips trained side by side; what each saves is the layer less its stand-in."""
    scoring = toy(2, steps=8)
    settings = {"bottleneck": 2, "scaling": 1.0}
    states = [(Placement(f"{i}.whole_layer", "skip", settings),) for i in range(4)]
    pack = scoring.pack([Configuration(state, 1e-3) for state in states])
    scoring.train(pack)
    with pack.attached(scoring.model):
        losses = scoring.losses(pack, list(range(64)))
    assert losses.argmin() == 2
    counted = MultiplyAdds(scoring.model, scoring.backbone, scoring.modules, ["classifier"], 8)
    layer = 8 * (4 * 16**2 + 2 * 16 * 32) + 2 * 8**2 * 16
    saved = [counted.frozen - counted.measured(s)["multiply_adds"].value for s in states]
    assert saved == [layer - 8 * 2 * 2 * 16] * 4


def test_the_number_rises_to_the_share_and_the_choice_is_final_after_the_first_part() -> None:
    scoring, recorder = toy(1), Recorder()
    pack = pack_of(scoring, das(0.5), (*das(0.2), *lora(0)), das(0.75))
    scoring.train(pack, callbacks=[recorder])
    counts = torch.stack(recorder.trained).sum(2)
    assert counts[0].tolist() == [0, 0, 0]
    assert (counts.diff(dim=0) >= 0).all()
    assert counts[-1].tolist() == [2, 0, 3]
    drawn = {tuple(flags[2].tolist()) for flags in recorder.trained[: STEPS // 2]}
    assert len(drawn) > 2
    final = recorder.scored[STEPS // 2 - 1]
    assert all(flags.equal(final) for flags in recorder.trained[STEPS // 2 :])
    assert all(flags.sum(1).tolist() == [2, 0, 3] for flags in recorder.scored)


def test_the_update_is_that_of_the_paper() -> None:
    scores = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    sets = torch.tensor([[[True, False, False]], [[False, True, True]]])
    losses = torch.tensor([[0.1], [0.9]])
    found = bandit.moved(scores, sets, losses, step=0.1, standardised=False)[0]
    better, worse = (-losses.double()).exp().flatten().tolist()
    half = (better - worse) / 2
    chance = torch.sigmoid(torch.tensor(1.0)).item()
    expected = [0.025 * half, -0.025 * half, 1 - 0.1 * half * chance * (1 - chance)]
    assert found.tolist() == pytest.approx(expected, rel=1e-6)
    lost = bandit.moved(scores, sets, losses * torch.nan, step=0.1, standardised=True)
    assert lost.equal(scores), "losses that are no numbers teach nothing"


def test_a_configuration_chooses_and_trains_alone_as_in_a_pack() -> None:
    scoring = toy(1, dtype=torch.float64)
    together = pack_of(scoring, lora(0), (*das(0.5, size=3), *lora(1)), das(0.5))
    scoring.train(together)
    jobs = [Configuration((*das(0.5, size=3), *lora(1)), 1e-3), Configuration(lora(0), 1e-2)]
    for place, configuration in zip((1, 0), jobs, strict=True):
        alone = scoring.pack([configuration])
        scoring.train(alone)
        for found, expected in ((together.export, alone.export), (together.memory, alone.memory)):
            assert found(place).keys() == expected(0).keys()
            for key, value in expected(0).items():
                torch.testing.assert_close(found(place)[key], value, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("until", [4, 8])
def test_paused_in_another_pack_it_ends_as_if_never_paused(until: int) -> None:
    scoring = toy(3, dtype=torch.float64)
    placed = [(*das(0.5), *lora(2)), lora(1), das(0.25, size=3)]

    def trained(which: list[int], **options: Any) -> list[Trained]:
        protocol = replace(scoring.protocol, rungs=(until / STEPS, 1.0))
        jobs = [Configuration(placed[k], 10 ** -(2.0 + k)) for k in which]
        given: dict[str, Any] = {"task": scoring.task, "splits": scoring.splits, **options}
        return train(scoring.model, scoring.pack(jobs), protocol=protocol, **given)

    straight = trained([0, 1, 2])
    half = trained([0, 1, 2], until=until)
    ended = trained([2, 0], since=[half[2], half[0]])
    for found, expected in zip(ended, (straight[2], straight[0]), strict=True):
        for key, tensor in expected.paused.tensors.items():
            torch.testing.assert_close(found.paused.tensors[key], tensor, rtol=1e-6, atol=1e-12)


def test_what_ships_are_the_skipped_layers_and_nothing_inside_them() -> None:
    scoring = toy(2, steps=24)
    pack = pack_of(scoring, (*das(), *lora(1, 2)))
    scoring.train(pack)
    trained = pack.jobs[0].configuration
    configuration, tensors = shipping.shipped(trained, pack.export(0), scoring.modules)
    placed = {(p.site, p.module): p.settings for p in configuration.placements}
    assert placed[("2.whole_layer", "skip")] == {"bottleneck": 2, "scaling": 1.0}
    assert placed.keys() == {("2.whole_layer", "skip"), ("1.mlp.up", "lora")}
    plain = scoring.pack([configuration])
    plain.restore(0, tensors)
    batch = scoring.splits[0].batch(scoring.rows(1)[0])
    found = []
    for one in (pack, plain):
        with one.attached(scoring.model), torch.no_grad():
            found.append(one.logits(scoring.model, batch))
    assert found[0].equal(found[1])
    off = Configuration(das(size=0), 1e-3)
    assert shipping.shipped(off, {}, scoring.modules)[0].placements == ()


def test_ties_go_to_the_lower_layer() -> None:
    scoring = toy(0, steps=2)
    pack = pack_of(scoring, das(0.5))
    method, run = Das(), Run(scoring.model, pack, None, scoring.task, scoring.splits[0], 2, 4)  # type: ignore[arg-type]
    method.after_step(run, 0)
    assert skipped(pack).tolist() == [[True, True, False, False]]
