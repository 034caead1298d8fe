"""AdaLoRA: the integer trace of its budget, its export, and peft step by step."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import peft
import pytest
import torch

from autopeft.callbacks.adalora import MODULE, AdaLora, Schedule
from autopeft.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.types import Configuration, Placement
from tests import toy_task

SCALING = 4.0


def configuration(scoring: Scoring, rank: int, rate: float = 5e-3) -> Configuration:
    settings = {"rank": rank, "scaling": SCALING}
    placed = tuple(Placement(site.name, "adalora", settings) for site in scoring.linears)
    return Configuration(placed, rate)


def pack_of(scoring: Scoring, *ranks: int) -> Any:
    modules = {**scoring.modules, "adalora": MODULE}
    return scoring.pack([configuration(scoring, rank) for rank in ranks], modules=modules)


# --- the budget -------------------------------------------------------------------------------


def test_the_schedule_is_the_cubic_one() -> None:
    schedule = Schedule(initial=72, final=48, start=10, end=50)
    assert [schedule.total(t) for t in (1, 10, 11, 30, 49, 50, 60)] == [72, 72, 70, 51, 48, 48, 48]


@pytest.mark.parametrize(
    ("start", "last", "interval"), [(0.1, 0.3, 1), (0.0, 0.0, 3), (0.5, 0.2, 7)]
)
def test_live_triplets_follow_the_closed_form(start: float, last: float, interval: int) -> None:
    scoring = toy_task.scoring(steps=40)
    pack = pack_of(scoring, 3, 2)
    ada = AdaLora(target=1, start=start, last=last, interval=interval)
    scoring.train(pack, callbacks=[ada])
    sites, first, end = len(scoring.linears), round(start * 40), 40 - round(last * 40)
    for k, rank in enumerate((3, 2)):
        schedule = Schedule(rank * sites, sites, first, end)
        expected, now = [], rank * sites
        for step in range(1, 41):
            if (first < step < end and step % interval == 0) or step == end:
                now = schedule.total(step)
            expected.append(now)
        assert [totals[k] for totals in ada.totals] == expected
        assert sum(len(layer.live(k)) for layer in pack.layers.values()) == sites


def test_nothing_is_cut_when_the_target_is_the_initial_rank() -> None:
    scoring = toy_task.scoring(steps=10)
    ada = AdaLora(target=2, start=0.0)
    scoring.train(pack_of(scoring, 2), callbacks=[ada])
    assert {totals[0] for totals in ada.totals} == {2 * len(scoring.linears)}


def test_ties_are_cut_from_the_end_and_never_too_many() -> None:
    ada = AdaLora(target=1)
    kept = ada._largest(torch.tensor([[1.0, 1, 1, -1], [0, 2, 1, 1]]), torch.tensor([2, 3]))
    assert kept.tolist() == [[True, True, False, False], [False, True, True, True]]


def test_a_configuration_prunes_alone_as_in_a_pack() -> None:
    scoring = toy_task.scoring(steps=12)
    together, alone = pack_of(scoring, 3, 2), pack_of(scoring, 2)
    for pack in (together, alone):
        scoring.train(pack, callbacks=[AdaLora(target=1)])
    for key, layer in alone.layers.items():
        torch.testing.assert_close(together.layers[key].E[1, :2], layer.E[0], rtol=1e-3, atol=1e-5)


# --- export -----------------------------------------------------------------------------------


def test_the_live_triplets_are_a_plain_lora_with_the_same_logits() -> None:
    scoring = toy_task.scoring(steps=20)
    pack = pack_of(scoring, 3)
    scoring.train(pack, callbacks=[AdaLora(target=1)])
    tensors = {pack.sites[key].name: layer.as_lora(0) for key, layer in pack.layers.items()}
    placed = tuple(
        Placement(name, "lora", {"rank": len(t["A"]), "scaling": SCALING})
        for name, t in tensors.items()
        if len(t["A"])
    )
    plain = scoring.pack([Configuration(placed, 1e-3)])
    plain.restore(
        0, {f"{n}:lora:{k}": v for n, t in tensors.items() for k, v in t.items() if len(t["A"])}
    )
    batch = scoring.splits[0].batch(scoring.rows(1)[0])
    found = []
    for one in (pack, plain):
        with one.attached(scoring.model), torch.no_grad():
            found.append(one.logits(scoring.model, batch))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-4)
    assert len(placed) < len(scoring.linears) or len({p.settings["rank"] for p in placed}) > 1


# --- peft -------------------------------------------------------------------------------------


class Recorder(Callback):
    """Values of E of every site after each step."""

    def __init__(self) -> None:
        self.values: list[dict[str, torch.Tensor]] = []

    def after_step(self, run: Run, step: int) -> None:
        self.values.append(
            {run.pack.sites[k].path: x.E.detach()[0].clone() for k, x in run.pack.layers.items()}
        )


def peft_values(
    scoring: Scoring, model: Any, pack: Any, *, steps: int, rate: float
) -> list[dict[str, torch.Tensor]]:
    """The same after each step of peft's AdaLoRA with torch's AdamW, from the same weights."""
    rank = 3
    config = peft.AdaLoraConfig(
        init_r=rank,
        target_r=1,
        tinit=4,
        tfinal=6,
        deltaT=1,
        total_step=steps,
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
        found.append(
            {p: t.lora_E["default"].detach().flatten().clone() for p, (_, t) in layers.items()}
        )
    return found


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")
def test_every_step_is_that_of_peft() -> None:
    steps, rate = 20, 5e-3
    scoring = toy_task.scoring(steps=steps, layers=2, clip=0.0, dtype=torch.float64)
    other = deepcopy(scoring.model)
    pack, before = pack_of(scoring, 3), pack_of(scoring, 3)
    recorder = Recorder()
    ada = AdaLora(target=1, start=4 / steps, last=6 / steps, orthogonality=0.1)
    scoring.train(pack, callbacks=[ada, recorder])
    theirs = peft_values(scoring, other, before, steps=steps, rate=rate)
    for step, (mine, expected) in enumerate(zip(recorder.values, theirs, strict=True)):
        for path, values in expected.items():
            torch.testing.assert_close(
                mine[path], values, rtol=1e-6, atol=1e-9, msg=lambda m, s=step: f"step {s}: {m}"
            )
    live = [sum(int((v != 0).sum()) for v in step.values()) for step in theirs]
    assert [totals[0] for totals in ada.totals] == live
    assert live[-1] == len(scoring.linears)
