"""Search spaces: reading, expanding, points to configurations and back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopeft import catalog
from autopeft.errors import SpaceError
from autopeft.sites.discovery import discover
from autopeft.space.expansion import expand
from autopeft.space.space import Space
from autopeft.space.spec import parse
from autopeft.types import Backbone, Configuration, Placement
from tests import tiny_models


def backbone_of(name: str = "bert", layers: int = 3) -> Backbone:
    return discover(tiny_models.frozen(name, layers=layers), catalog.backbones.all(), name=name)


BERT = backbone_of()


def parsed(text: str, backbone: Backbone = BERT) -> Space:
    return expand(parse(text, source="mine.yaml"), backbone, catalog.modules.all())


HEAD = "name: mine\n"
RATE = "  learning_rate: {float: [1.0e-4, 1.0e-3], log: true}\n"


def test_lora_has_one_rank_per_layer_and_group() -> None:
    space = expand(catalog.spaces.load("lora"), BERT, catalog.modules.all())
    names = [d.name for d in space.dimensions]
    assert len(names) == 3 * 3 + 1
    assert "lora.rank[2,attention_in]" in names
    point = space.point(
        dict.fromkeys(names[:-1], 0) | {"lora.rank[1,mlp]": 4, "learning_rate": 1e-3}
    )
    placed = space.decode(point).placements
    assert {p.site for p in placed} == {"1.mlp.up", "1.mlp.down"}
    assert all(dict(p.settings) == {"rank": 4, "scaling": 2.0} for p in placed)


def test_autopeft_has_the_domains_of_the_paper() -> None:
    wide = Backbone("base", "bert", BERT.layers, BERT.sites, 768, 109_482_240)
    space = expand(catalog.spaces.load("autopeft"), wide, catalog.modules.all())
    sizes = next(d for d in space.dimensions if d.name == "prefix.length")
    assert sizes.values == (0, 1, 3, 6, 12, 24, 48, 96, 192, 384, 768)
    switches = [d for d in space.dimensions if d.name.startswith("active")]
    assert [d.values for d in switches] == [(False, True)] * 3
    rates = len(space.dimensions[space.learning_rate].values)
    assert space.size == 11**3 * 2**3 * rates


def test_a_switch_turns_off_every_module_of_its_layer() -> None:
    space = expand(catalog.spaces.load("mixed"), BERT, catalog.modules.all())
    values = {d.name: d.values[-1] for d in space.dimensions} | {"active[0]": False}
    placed = space.decode(space.point(values)).placements
    assert {p.site.split(".")[0] for p in placed} == {"1", "2"}
    assert {p.module for p in placed} == {"lora", "serial_adapter", "parallel_adapter", "prefix"}


@pytest.mark.parametrize("name", ["lora", "mixed", "autopeft"])
@pytest.mark.parametrize("architecture", list(tiny_models.ARCHITECTURES))
def test_encode_inverts_decode(name: str, architecture: str) -> None:
    space = expand(catalog.spaces.load(name), backbone_of(architecture), catalog.modules.all())
    rng = np.random.default_rng(0)
    for _ in range(50):
        point = space.random(rng)
        configuration = space.decode(point)
        assert space.encode(configuration) == point
        assert Configuration.from_json(configuration.to_json()) == configuration or (
            Configuration.from_json(configuration.to_json()).to_json() == configuration.to_json()
        )


@given(st.lists(st.integers(0, 10**6), min_size=7, max_size=7))
@settings(max_examples=60, deadline=None)
def test_canonical_points_decode_to_the_same_and_are_fixed(draw: list[int]) -> None:
    space = expand(catalog.spaces.load("autopeft"), BERT, catalog.modules.all())
    point = tuple(n % len(d.values) for n, d in zip(draw, space.dimensions, strict=True))
    canonical = space.canonical(point)
    assert space.decode(canonical).to_json() == space.decode(point).to_json()
    assert space.canonical(canonical) == canonical


def test_what_the_space_cannot_express_has_no_point() -> None:
    space = expand(catalog.spaces.load("lora"), BERT, catalog.modules.all())
    odd = Placement("0.attention.query", "lora", {"rank": 3, "scaling": 2.0})
    assert space.encode(Configuration((odd,), 1e-3)) is None
    lone = Placement("0.attention.query", "lora", {"rank": 4, "scaling": 2.0})
    assert space.encode(Configuration((lone,), 1e-3)) is None
    assert space.encode(Configuration((), 0.5)) is None


def test_when_makes_a_dimension_conditional() -> None:
    space = parsed(
        HEAD
        + "modules: [lora, prefix]\ndimensions:\n"
        + "  method: {choice: [lora, prefix]}\n"
        + "  lora.rank: {choice: [1, 2], when: {method: lora}}\n"
        + "  prefix.length: {choice: [1, 2], when: {method: prefix}}\n"
        + RATE
    )
    for point in ((0, 1, 1, 0), (1, 1, 1, 0)):
        configuration = space.decode(point)
        wanted = "lora" if point[0] == 0 else "prefix"
        assert {p.module for p in configuration.placements} == {wanted}
        assert space.decode(space.canonical(point)).to_json() == configuration.to_json()


def test_blocks_are_contiguous_and_cover_every_layer() -> None:
    deep = backbone_of(layers=6)
    space = parsed(
        HEAD + "modules: [serial_adapter]\nblocks: 2\ndimensions:\n"
        "  serial_adapter.bottleneck: {choice: [0, 2], per: block}\n" + RATE,
        deep,
    )
    assert len(space.dimensions) == 3
    placed = space.decode((0, 1, 0)).placements
    assert [p.site for p in placed] == ["3.layer", "4.layer", "5.layer"]


def test_learning_rates_have_two_significant_digits() -> None:
    values = parsed(HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1]}\n" + RATE)
    rates = values.dimensions[values.learning_rate]
    assert rates.values[0] == 1e-4
    assert rates.values[-1] == 1e-3
    assert all(float(f"{float(v):.1e}") == v for v in rates.values)
    middle = rates.positions[rates.values.index(3.2e-4)]
    assert math.isclose(middle, math.log(3.2) / math.log(10), rel_tol=1e-9)


def test_a_module_without_sites_is_left_out_with_a_note() -> None:
    sites = tuple(site for site in BERT.sites if site.kind != "attention")
    bare = Backbone("bare", "bert", BERT.layers, sites, BERT.hidden_size, BERT.parameters)
    space = expand(catalog.spaces.load("mixed"), bare, catalog.modules.all())
    assert not any(d.name.startswith("prefix") for d in space.dimensions)
    assert "prefix" in space.notes[0]


WRONG = {
    "unknown key": (HEAD + "modules: [lora]\nmodulez: 1\n", ":3:", "modulez"),
    "unknown dimension key": (
        HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1], pre: layer}\n" + RATE,
        ":4:",
        "pre",
    ),
    "no modules": (HEAD + "dimensions:\n" + RATE, "", "modules"),
    "two domains": (
        HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1], int: [1, 2]}\n" + RATE,
        ":4:",
        "exactly one",
    ),
    "text for a number": (
        HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1]}\n"
        "  learning_rate: {float: [1e-4, 1e-3]}\n",
        ":5:",
        "1.0e-3",
    ),
    "empty choice": (
        HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: []}\n" + RATE,
        ":4:",
        "not empty",
    ),
    "repeated choice": (
        HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1, 1]}\n" + RATE,
        ":4:",
        "repeat",
    ),
    "unknown scope": (
        HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1], per: head}\n" + RATE,
        ":4:",
        "head",
    ),
    "unknown module": (
        HEAD + "modules: [lara]\ndimensions:\n  lara.rank: {choice: [1]}\n" + RATE,
        "",
        "lara",
    ),
    "unknown setting": (
        HEAD + "modules: [lora]\ndimensions:\n  lora.rnak: {choice: [1]}\n" + RATE,
        "",
        "rnak",
    ),
    "unknown dimension": (
        HEAD
        + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1]}\n  depth: {choice: [1]}\n"
        + RATE,
        ":5:",
        "depth",
    ),
    "no size": (
        HEAD + "modules: [lora]\ndimensions:\n" + RATE,
        "",
        "rank",
    ),
    "not yaml": ("name: [", ":1:", "YAML"),
    "not a mapping": ("- 1\n", "", "mapping"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_wrong_spaces_are_explained_with_the_line(case: str) -> None:
    text, line, word = WRONG[case]
    with pytest.raises(SpaceError) as caught:
        parsed(text)
    assert caught.value.message.startswith("mine.yaml" + line)
    assert word in caught.value.message + caught.value.hint
    assert "\n" not in caught.value.message


def test_a_space_by_path_and_by_wrong_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(HEAD + "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1]}\n" + RATE)
    assert catalog.spaces.load(str(file)).name == "mine"
    with pytest.raises(SpaceError, match="cannot read"):
        catalog.spaces.load(str(tmp_path / "none.yaml"))
    with pytest.raises(Exception, match="lorra") as caught:
        catalog.spaces.load("lorra")
    assert getattr(caught.value, "hint", "") == "did you mean `lora`?"


def test_the_digest_follows_the_content_not_the_comments() -> None:
    body = "modules: [lora]\ndimensions:\n  lora.rank: {choice: [1]}\n" + RATE
    first = parse(HEAD + body, source="a")
    same = parse("# a comment\n" + HEAD + body, source="b")
    other = parse(HEAD + body.replace("[1]", "[2]"), source="a")
    assert first.digest == same.digest != other.digest


def test_without_learning_rates_a_space_has_those_of_its_modules() -> None:
    text = (
        HEAD + "modules: [lora, prefix]\ndimensions:\n  lora.rank: {choice: [0, 4]}\n"
        "  prefix.length: {choice: [0, 4]}\n"
    )
    space = parsed(text)
    rates = space.dimensions[space.learning_rate].values
    assert (min(rates), max(rates)) == (1e-4, 1e-2)
    unknown = {n: replace(m, learning_rates=None) for n, m in catalog.modules.all().items()}
    with pytest.raises(SpaceError, match=r"mine\.yaml: the dimension `learning_rate` is missing"):
        expand(parse(text, source="mine.yaml"), BERT, unknown)
