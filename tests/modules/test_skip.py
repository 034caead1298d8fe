"""The contract of `skip`, and what skipping is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from autopeft import catalog
from autopeft.errors import SpaceError, UsageError
from autopeft.sites.discovery import discover
from autopeft.space.expansion import expand
from autopeft.space.spec import parse
from autopeft.training.pack import Job, Pack, entry_layer
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models
from tests.modules.contract import TinyModule
from tests.sites.test_discovery import FAMILIES, tiny
from tests.training.test_pack import batches, build, head_of, run

MODULES = catalog.modules.all()


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"], scope="class")
class TestSkip(TinyModule):
    name = "skip"
    changes_at_start = True

    def _pack(self, model: Any, size: int) -> Pack:
        # With no layer left, only the rows that the head reads would reach three units.
        return pack_of(model, self.discovered(model), skips(1, size=size) if size else (), head=())


def skips(*layers: int, size: int = 2) -> tuple[Placement, ...]:
    settings = {"bottleneck": size, "scaling": 1.0}
    return tuple(Placement(f"{layer}.whole_layer", "skip", settings) for layer in layers)


def lora(*layers: int) -> tuple[Placement, ...]:
    settings = {"rank": 2, "scaling": 2.0}
    return tuple(Placement(f"{layer}.mlp.up", "lora", settings) for layer in layers)


def jobs_of(*placed: tuple[Placement, ...]) -> list[Job]:
    return [Job(Configuration(p, 10 ** -(1.5 + k)), 10 + k) for k, p in enumerate(placed)]


def pack_of(
    model: Any,
    backbone: Backbone,
    *placed: tuple[Placement, ...],
    head: Sequence[str] | None = None,
) -> Pack:
    head = head_of(model) if head is None else head
    return Pack(model, backbone, jobs_of(*placed), modules=MODULES, head=head)


def inputs() -> dict[str, torch.Tensor]:
    return {k: v for k, v in batches()[0].items() if k != "labels"}


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_at_the_start_the_model_is_one_without_the_layer(architecture: str) -> None:
    model, backbone = build(architecture)
    shorter, _ = build(architecture)
    del shorter.get_submodule(backbone.layers[0].rpartition(".")[0])[1]
    found = []
    for one, placed in ((model, skips(1)), (shorter, ())):
        shape = discover(one, catalog.backbones.all(), name=architecture)
        pack = pack_of(one, shape, placed)
        with pack.attached(one), torch.no_grad():
            found.append(pack.logits(one, inputs()))
    assert found[0].equal(found[1])


def test_a_skipped_layer_runs_once_for_its_form_and_never_again() -> None:
    model, backbone = build("bert")
    calls = []
    model.get_submodule(f"{backbone.layers[1]}.attention").register_forward_hook(
        lambda *call: calls.append(torch.is_grad_enabled())
    )
    pack = pack_of(model, backbone, skips(1), skips(1, size=3))
    with pack.attached(model):
        for _ in range(3):
            pack.logits(model, inputs()).sum().backward()
    assert calls == [False]


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_in_a_pack_the_rows_of_the_others_are_untouched_bit_for_bit(architecture: str) -> None:
    model, backbone = build(architecture)
    outputs = []
    for placed in (skips(0, 1), ()):
        pack = pack_of(model, backbone, lora(0), placed, lora(1, 2))
        with pack.attached(model), torch.no_grad():
            outputs.append(pack.logits(model, inputs()))
    assert outputs[0][0].equal(outputs[1][0])
    assert outputs[0][2].equal(outputs[1][2])
    assert not torch.allclose(outputs[0][1], outputs[1][1])


@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_a_packed_trajectory_equals_the_one_alone(architecture: str) -> None:
    model, backbone = build(architecture)
    jobs = jobs_of(skips(1), (*lora(0, 2), *skips(1, size=5)), lora(1), (), skips(0, 1, 2))
    together, pack, _ = run(model, backbone, jobs)
    for k, one in enumerate(jobs):
        alone, single, _ = run(model, backbone, [one])
        torch.testing.assert_close(together[:, k], alone[:, 0], rtol=1e-6, atol=0)
        for name, tensor in single.export(0).items():
            torch.testing.assert_close(pack.export(k)[name], tensor, rtol=1e-6, atol=1e-9)
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_layer_that_gives_a_tuple_keeps_its_form() -> None:
    model = tiny("deberta-v2").requires_grad_(False)
    backbone = discover(model, FAMILIES, name="deberta")
    layer = model.get_submodule(backbone.layers[1])
    seen: list[Any] = []
    layer.register_forward_hook(lambda module, args, output: seen.append(output))
    pack = Pack(model, backbone, jobs_of(skips(1)), modules=MODULES, head=[])
    with pack.attached(model):
        model(input_ids=torch.ones(2, 5, dtype=torch.long))
    assert isinstance(seen[0], tuple)
    assert seen[0][1] is None


def test_a_layer_that_hands_on_more_than_hidden_states_is_refused() -> None:
    model = tiny("t5").requires_grad_(False)
    backbone = discover(model, FAMILIES, name="t5")
    pack = Pack(model, backbone, jobs_of(skips(0)), modules=MODULES, head=[])
    ids = torch.ones(2, 5, dtype=torch.long)
    refusal = pytest.raises(UsageError, match=r"`0\.whole_layer` cannot be skipped")
    with refusal, pack.attached(model):
        model(input_ids=ids, decoder_input_ids=ids)
    assert "forward" not in vars(model.get_submodule(backbone.layers[0]))


def test_it_enters_at_its_layer() -> None:
    _, backbone = build("bert")
    assert entry_layer(Configuration(skips(1, 2), 1e-3), backbone) == 1


def test_a_module_inside_a_skipped_layer_is_refused_and_one_on_its_output_is_not() -> None:
    model, backbone = build("bert")
    with pytest.raises(UsageError, match=r"`skip` at `1\.whole_layer` leaves no place for `lora`"):
        pack_of(model, backbone, (*lora(1), *skips(1)))
    settings = {"bottleneck": 2, "scaling": 1.0}
    outer = Placement("1.layer", "serial_adapter", settings)
    pack_of(model, backbone, (*lora(0), *skips(1), outer))
    off = Placement("1.mlp.up", "lora", {"rank": 0, "scaling": 2.0})
    pack_of(model, backbone, (off, *skips(1)))


SPACE = """
name: states
modules: [lora, skip]
dimensions:
  state: {{choice: [frozen, tuned, skipped], per: layer}}
  lora.rank: {{choice: [1, 2], per: layer{lora}}}
  skip.bottleneck: {{choice: [0, 4], per: layer, when: {{state: skipped}}}}
  learning_rate: {{choice: [1.0e-3]}}
"""


def test_a_space_must_keep_them_apart() -> None:
    _, backbone = build("bert")
    apart = SPACE.format(lora=", when: {state: tuned}")
    assert expand(parse(apart, source="s"), backbone, MODULES).slots
    for wrong in ("", ", when: {state: skipped}"):
        spec = parse(SPACE.format(lora=wrong), source="s")
        with pytest.raises(SpaceError, match="`skip` could leave out a layer that holds `lora`"):
            expand(spec, backbone, MODULES)
