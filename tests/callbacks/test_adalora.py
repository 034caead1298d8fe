"""AdaLoRA: the integer trace of its budget, its export, and peft step by step."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import peft
import pytest
import torch

from autopeft.callbacks.adalora import AdaLora, Schedule, largest
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.types import Configuration, PeftModule, Placement
from tests import as_lora, toy_task

SCALING = 4.0


def configuration(scoring: Scoring, rank: int, rate: float = 5e-3) -> Configuration:
    settings = {"rank": rank, "scaling": SCALING, "live": 1 / rank}
    placed = tuple(Placement(site.name, "adalora", settings) for site in scoring.linears)
    return Configuration(placed, rate)


def pack_of(scoring: Scoring, *ranks: int, **options: Any) -> Any:
    """Configurations of AdaLoRA that end at one rank per site, with options of the method."""
    plain: PeftModule = scoring.modules["adalora"]
    modules = {"adalora": replace(plain, method=lambda: AdaLora(**options))}
    return scoring.pack([configuration(scoring, rank) for rank in ranks], modules=modules)


class Recorder(Callback):
    """Weights and live triplets of every site after each step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, dict[str, torch.Tensor]]] = []
        self.totals: list[list[int]] = []
        self.nonzero: list[int] = []

    def after_step(self, run: Run, step: int) -> None:
        layers: dict[str, Any] = dict(run.pack.layers.items())
        self.weights.append(
            {run.pack.sites[key].path: layer.export(0) for key, layer in layers.items()}
        )
        kept = [layer.kept.sum(1) for layer in layers.values()]
        self.totals.append(torch.stack(kept).sum(0).tolist())
        self.nonzero.append(sum(int((layer.E[0] != 0).sum()) for layer in layers.values()))


# --- the budget -------------------------------------------------------------------------------


def test_the_schedule_is_the_cubic_one() -> None:
    schedule = Schedule(initial=72, final=48, start=10, end=50)
    assert [schedule.total(t) for t in (1, 10, 11, 30, 49, 50, 60)] == [72, 72, 70, 51, 48, 48, 48]


@pytest.mark.parametrize(
    ("start", "last", "interval"), [(0.1, 0.3, 1), (0.0, 0.0, 3), (0.5, 0.2, 7)]
)
def test_live_triplets_follow_the_closed_form(start: float, last: float, interval: int) -> None:
    scoring = toy_task.scoring(steps=20, layers=2)
    pack = pack_of(scoring, 3, 2, start=start, last=last, interval=interval)
    recorder = Recorder()
    scoring.train(pack, callbacks=[recorder])
    sites, first, end = len(scoring.linears), round(start * 20), 20 - round(last * 20)
    for k, rank in enumerate((3, 2)):
        schedule = Schedule(rank * sites, sites, first, end)
        expected, now = [], rank * sites
        for step in range(1, 21):
            if (first < step < end and step % interval == 0) or step == end:
                now = schedule.total(step)
            expected.append(now)
        assert [totals[k] for totals in recorder.totals] == expected
        assert sum(int(layer.kept[k].sum()) for layer in pack.layers.values()) == sites


def test_nothing_is_cut_when_the_final_rank_is_the_initial_one() -> None:
    scoring = toy_task.scoring(steps=10, layers=2)
    recorder = Recorder()
    scoring.train(pack_of(scoring, 1, start=0.0), callbacks=[recorder])
    assert {totals[0] for totals in recorder.totals} == {len(scoring.linears)}


def test_ties_are_cut_from_the_end_and_never_too_many() -> None:
    values = torch.tensor([[1.0, 1, 1, -1], [0, 2, 1, 1]])
    kept = largest(values, torch.tensor([2, 3]))
    assert kept.tolist() == [[True, True, False, False], [False, True, True, True]]


def test_a_configuration_prunes_alone_as_in_a_pack() -> None:
    scoring = toy_task.scoring(steps=12, layers=2, dtype=torch.float64)
    together, alone = pack_of(scoring, 3, 2), pack_of(scoring, 2)
    for pack in (together, alone):
        scoring.train(pack)
    for name, tensor in alone.export(0).items():
        torch.testing.assert_close(together.export(1)[name], tensor, rtol=1e-6, atol=1e-12)
    for name, kept in alone.memory(0).items():
        torch.testing.assert_close(together.memory(1)[name], kept, rtol=1e-6, atol=1e-20)


# --- export -----------------------------------------------------------------------------------


def test_the_live_triplets_are_a_plain_lora_with_the_same_logits() -> None:
    scoring = toy_task.scoring(steps=20, layers=2)
    pack = pack_of(scoring, 3)
    scoring.train(pack)
    ranks = as_lora.check(scoring, pack)
    assert sum(ranks) == len(scoring.linears)
    assert len(set(ranks)) > 1


# --- peft -------------------------------------------------------------------------------------


RANK, RATE = 3, 5e-3


def peft_weights(
    scoring: Scoring, model: Any, pack: Any, *, steps: int, schedule: dict[str, int]
) -> list[dict[str, dict[str, torch.Tensor]]]:
    """The same after each step of peft's AdaLoRA with torch's AdamW, from the same weights."""
    rank, rate = RANK, RATE
    config = peft.AdaLoraConfig(
        init_r=rank,
        target_r=1,
        total_step=steps,
        **schedule,
        orth_reg_weight=0.1,
        lora_alpha=SCALING * (rank + 1e-5),
        target_modules=[site.path for site in scoring.linears],
    )
    wrapped: Any = peft.get_peft_model(model, config, autocast_adapter_dtype=False)
    wrapped = wrapped.to(torch.float64).eval()
    layers = {
        pack.sites[key].path: (layer, wrapped.base_model.model.get_submodule(pack.sites[key].path))
        for key, layer in pack.layers.items()
    }
    with torch.no_grad():
        for mine, theirs in layers.values():
            theirs.lora_A["default"].copy_(mine.A[0])
            theirs.lora_B["default"].copy_(mine.B[0])
            theirs.lora_E["default"].copy_(mine.E[0].unsqueeze(1))
    trained = [p for n, p in wrapped.named_parameters() if p.requires_grad and "lora_" in n]
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    found = []
    for step, rows in enumerate(scoring.rows(steps)):
        for group in optimiser.param_groups:
            group["lr"] = rate * scoring.protocol.factor(step)
        split = scoring.splits[0]
        # A wrapper without a task type would go past the method, and lose its regulariser.
        wrapped.base_model(**split.batch(rows), labels=split.labels[rows]).loss.backward()
        optimiser.step()
        wrapped.base_model.update_and_allocate(step + 1)
        optimiser.zero_grad()
        found.append({path: peft_tensors(theirs) for path, (_, theirs) in layers.items()})
    return found


def peft_tensors(layer: Any) -> dict[str, torch.Tensor]:
    names = {"A": layer.lora_A, "B": layer.lora_B, "E": layer.lora_E}
    found = {name: table["default"].detach().clone() for name, table in names.items()}
    return {**found, "E": found["E"].flatten()}


@pytest.mark.parametrize(("first", "final", "interval"), [(4, 6, 1), (0, 4, 3), (2, 10, 5)])
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")
def test_every_step_is_that_of_peft(first: int, final: int, interval: int) -> None:
    """All weights of all sites and the total rank, step by step, in float64."""
    steps = 20
    scoring = toy_task.scoring(steps=steps, layers=2, clip=0.0, dtype=torch.float64)
    other = deepcopy(scoring.model)
    options = {"start": first / steps, "last": final / steps, "interval": interval}
    pack, before = pack_of(scoring, RANK, **options), pack_of(scoring, RANK)
    recorder = Recorder()
    scoring.train(pack, callbacks=[recorder])
    schedule = {"tinit": first, "tfinal": final, "deltaT": interval}
    theirs = peft_weights(scoring, other, before, steps=steps, schedule=schedule)
    for step, (mine, expected) in enumerate(zip(recorder.weights, theirs, strict=True)):
        for path, tensors in expected.items():
            for name, tensor in tensors.items():
                where = f"step {step}, {name} of {path}"
                torch.testing.assert_close(
                    mine[path][name], tensor, rtol=1e-5, atol=1e-8, msg=lambda m, w=where: w + m
                )
    live = [sum(int((t["E"] != 0).sum()) for t in step.values()) for step in theirs]
    assert recorder.nonzero == live
    assert (recorder.nonzero == [t[0] for t in recorder.totals]) == (interval == 1)
    assert live[0] == RANK * len(scoring.linears)
    assert live[-1] == len(scoring.linears)
