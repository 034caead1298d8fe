"""IST: who is trained, what resting means, and the sign of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from autopeft.callbacks.ist import Ist, PackedIst
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.training.loop import Trained, train
from autopeft.types import Configuration, Placement
from tests import as_lora, toy_task
from tests.training.cpu_allocator import step_peak
from tests.training.test_memory import TARGET, setting


class Witness(Callback):
    """Which layers' parameters each step changed, [steps, K, layers]; runs after IST."""

    def __init__(self, ist: Ist) -> None:
        self.ist = ist
        self.changed: list[torch.Tensor] = []
        self.active: list[torch.Tensor] = []

    def before_step(self, run: Run, step: int) -> None:
        self.before = [p.detach().clone() for p in run.pack.layers.parameters()]

    def after_step(self, run: Run, step: int) -> None:
        depth = len(run.pack.backbone.layers)
        changed = torch.zeros(run.pack.count, depth, dtype=torch.bool)
        before = iter(self.before)
        for key, layer in run.pack.layers.items():
            for parameter in layer.parameters():
                moved = (parameter != next(before)).flatten(1).any(1)
                changed[:, run.pack.sites[key].layer] |= moved
        self.changed.append(changed)
        self.active.append(self.ist.active.clone())


def trained(ranks: list[int], **options: Any) -> tuple[Ist, Witness, Any]:
    scoring = toy_task.scoring(steps=12, layers=8)
    pack = scoring.pack([scoring.lora(rank) for rank in ranks])
    ist = Ist(interval=4, **options)
    witness = Witness(ist)
    scoring.train(pack, callbacks=[ist, witness])
    return ist, witness, pack


def test_a_resting_layer_is_bit_identical_after_a_step() -> None:
    _, witness, _ = trained([2, 3])
    for changed, active in zip(witness.changed, witness.active, strict=True):
        assert active.sum(1).tolist() == [2, 2]
        assert not (changed & ~active).any()
        assert (changed == active).all()
    assert len({tuple(a[0].tolist()) for a in witness.active}) > 1


def test_scales_and_gradients_come_back_as_they_were() -> None:
    _, _, pack = trained([2])
    assert all(torch.equal(x.factor, torch.full((1, 1, 1), 2.0)) for x in pack.layers.values())
    assert all(p.requires_grad for p in pack.parameters())


def test_a_configuration_draws_and_scores_alone_as_in_a_pack() -> None:
    together, _, pack = trained([2, 3])
    alone, _, single = trained([2])
    torch.testing.assert_close(together.scores[:1], alone.scores, rtol=1e-3, atol=1e-6)
    for name, tensor in single.export(0).items():
        torch.testing.assert_close(pack.export(0)[name], tensor, rtol=1e-3, atol=1e-5)


def test_the_update_is_that_of_the_paper() -> None:
    scoring = toy_task.scoring(steps=2, layers=4)
    pack = scoring.pack([scoring.lora(2)])
    ist = Ist(interval=1)
    losses = iter([0.1, 0.5, 0.9])
    damped: list[torch.Tensor] = []

    def loss(run: Run, step: int, chosen: torch.Tensor) -> torch.Tensor:
        damped.append(chosen[0])
        return torch.tensor([next(losses)], dtype=torch.float64)

    ist._loss = loss  # type: ignore[method-assign]
    scoring.train(pack, callbacks=[ist])
    rewards = torch.tensor([-0.1, -0.5, -0.9], dtype=torch.float64).exp()
    expected = sum(
        10 * (r - rewards.mean()) * 0.25 * flags for r, flags in zip(rewards, damped, strict=True)
    )
    torch.testing.assert_close(ist.scores[0], expected)
    assert len({tuple(flags.tolist()) for flags in damped}) == 3
    assert all(flags.sum() == 2 for flags in damped)


class Harm(Callback):
    """Makes one layer's updates harmful: whatever they add, the loss is worse with it."""

    def __init__(self, layer: int) -> None:
        self.layer = layer

    @torch.no_grad()
    def before_step(self, run: Run, step: int) -> None:
        if step:
            return
        generator = torch.Generator().manual_seed(0)
        for key, layer in run.pack.layers.items():
            if run.pack.sites[key].layer == self.layer:
                noise: Any = layer
                noise.B.copy_(torch.randn(noise.B.shape, generator=generator))


@pytest.mark.parametrize("layer", [0, 2])
def test_a_harmful_layer_is_least_likely_to_be_trained(layer: int) -> None:
    scoring = toy_task.scoring(["1.mlp.up"], steps=60)
    pack = scoring.pack([scoring.lora(4, rate=1e-5)])
    ist = Ist(interval=1, rests=False, standardised=True, step_size=1.0)
    scoring.train(pack, callbacks=[Harm(layer), ist])
    assert ist.scores[0].argmax() == layer


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_models_with_fewer_layers_than_sets_train_too(layers: int) -> None:
    scoring = toy_task.scoring(["0.mlp.up"], steps=3, layers=layers)
    ist = Ist(interval=1)
    assert scoring.train(scoring.pack([scoring.lora(2)]), callbacks=[ist]) == [True]
    assert ist.active.sum() == 1


# --- as a module type -------------------------------------------------------------------------


def placed(scoring: Scoring, module: str, *, layers: Sequence[int] = (0, 1, 2, 3)) -> Configuration:
    settings = {**scoring.modules[module].defaults, "rank": 2}
    sites = (site for site in scoring.linears if site.layer in layers)
    return Configuration(tuple(Placement(site.name, module, settings) for site in sites), 1e-2)


def test_as_a_module_type_it_leaves_the_rest_of_the_pack_alone() -> None:
    scoring = toy_task.scoring(steps=12, dtype=torch.float64)
    jobs = [placed(scoring, "ist"), placed(scoring, "lora"), placed(scoring, "ist", layers=[1, 3])]
    together = scoring.pack(jobs)
    scoring.train(together)
    for k, job in enumerate(jobs):
        alone = scoring.pack([job])
        scoring.train(alone)
        for found, expected in ((together.export, alone.export), (together.memory, alone.memory)):
            for name, tensor in expected(0).items():
                torch.testing.assert_close(found(k)[name], tensor, rtol=1e-6, atol=1e-12)
    scores = together.memory(0)
    assert any(bool(score) for score in scores.values())
    assert len({float(v) for n, v in scores.items() if n.startswith("1.")}) == 1
    assert sum(as_lora.check(scoring, together)) == 2 * len(scoring.linears)


def test_as_a_module_type_only_the_drawn_layers_move() -> None:
    scoring = toy_task.scoring(steps=3)
    half = replace(placed(scoring, "ist"), learning_rate=1e-2)
    settings = {"rank": 2, "scaling": 2.0, "trained": 0.5}
    half = replace(half, placements=tuple(replace(p, settings=settings) for p in half.placements))
    pack = scoring.pack([placed(scoring, "ist"), half, placed(scoring, "ist", layers=[2])])
    moved: list[list[int]] = []

    class Watch(Callback):
        def before_step(self, run: Run, step: int) -> None:
            self.before = {key: m.B.detach().clone() for key, m in run.pack.layers.items()}

        def after_step(self, run: Run, step: int) -> None:
            layers: list[set[int]] = [set() for _ in run.pack.jobs]
            for key, module in run.pack.layers.items():
                changed = (self.before[key] != module.B).flatten(1).any(1)
                for k in torch.nonzero(changed).flatten().tolist():
                    layers[k].add(run.pack.sites[key].layer)
            moved.append([len(found) for found in layers])

    scoring.train(pack, callbacks=[Watch()])
    assert moved == [[1, 2, 1]] * 3


def test_paused_between_draws_it_ends_as_if_never_paused() -> None:
    scoring = toy_task.scoring(steps=24, dtype=torch.float64)
    jobs = [placed(scoring, "ist"), placed(scoring, "lora")]

    def trained(which: Sequence[int], **options: Any) -> list[Trained]:
        protocol = replace(scoring.protocol, rungs=(0.5, 1.0))
        given: dict[str, Any] = {"task": scoring.task, "splits": scoring.splits, **options}
        pack = scoring.pack([jobs[k] for k in which])
        return train(scoring.model, pack, protocol=protocol, **given)

    straight = trained([0, 1])
    half = trained([0, 1], until=12)
    ended = trained([1, 0], since=half[::-1])
    for name, tensor in straight[0].paused.tensors.items():
        torch.testing.assert_close(ended[1].paused.tensors[name], tensor, rtol=1e-6, atol=1e-12)


class Fixed(Ist):
    """Trains the same layers in every step."""

    def __init__(self, layers: Sequence[int]) -> None:
        super().__init__(kind=PackedIst)
        self.layers = list(layers)

    def before_step(self, run: Run, step: int) -> None:
        super().before_step(run, step)
        self.active[:] = False
        self.active[:, self.layers] = True
        for layer, active in self._layers(run):
            layer.requires_grad_(bool(active.any()))


def test_the_predicted_memory_covers_every_draw() -> None:
    """And is that of the worst one, where the lowest layer is trained."""
    peaks = {}
    model, memory = setting("bert", replace(TARGET, rows=24), layers=2)
    settings = {"rank": 8, "scaling": 2.0, "trained": 0.5}
    sites = (site.name for site in memory.backbone.sites if site.kind == "linear")
    configuration = Configuration(tuple(Placement(s, "ist", settings) for s in sites), 1e-3)
    piece = memory.modules["ist"]
    for layers in ((0,), (1,), (0, 1)):
        method = replace(piece, method=partial(Fixed, layers))
        memory.modules = {**memory.modules, "ist": method}
        peaks[layers] = step_peak(model, memory, configuration)
    predicted = memory.predict(configuration) and memory.parts(configuration).step
    assert max(peaks.values()) <= 1.01 * predicted
    assert predicted <= 1.05 * peaks[(0, 1)]
    assert peaks[(1,)] < peaks[(0,)]
