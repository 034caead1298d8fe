"""What every allocator promises: never above the budget, the same every time, ties by index."""

from __future__ import annotations

import random

import numpy as np
import pytest

from autopeft import allocation, catalog, rank_budget
from autopeft.errors import UsageError
from autopeft.types import Backbone, Placement, Scores, Site

ALLOCATORS = catalog.allocators.names()
BINS = 400


def backbone_of(sizes: list[tuple[int, int]], per_layer: int = 2) -> Backbone:
    sites = tuple(
        Site(i // per_layer, f"role{i % per_layer}", "linear", f"layers.{i}", *size)
        for i, size in enumerate(sizes)
    )
    layers = tuple(f"layers.{i}" for i in range(-(-len(sizes) // per_layer)))
    return Backbone("any", "toy", layers, sites, 8, 10_000)


def drawn(draw: random.Random, sites: int) -> tuple[Backbone, Scores]:
    backbone = backbone_of([(draw.randint(1, 99), draw.randint(1, 99)) for _ in range(sites)])
    names = [site.name for site in backbone.sites]
    kind = draw.choice(["any", "tied", "zero", "wide"])
    value = {
        "any": draw.random,
        "tied": lambda: float(draw.randint(0, 2)),
        "zero": lambda: 0.0,
        "wide": lambda: 10 ** draw.uniform(-30, 30),
    }[kind]
    ranks = {n: [draw.gauss(0, 1) for _ in range(draw.randint(0, 9))] for n in names}
    histogram = {n: [draw.randint(0, 3) * (value() > 0) for _ in range(BINS)] for n in names}
    return backbone, Scores(
        "spt",
        {name: value() for name in names},
        {},
        {"histogram": histogram},
        ranks if draw.random() < 0.4 else {},
    )


SETTINGS = [
    {},
    {"temperature": 4.0},
    {"temperature": 0.05, "max_rank": 3},
    {"rank": 1},
    {"rank": 64},
    {"block[block 0]": 0.5, "block[block 1]": 2.0},
    {"unstructured": True},
    {"unstructured": True, "rank": 1, "threshold": 0.4},
]


@pytest.mark.parametrize(("name", "draws"), [(n, 60 if n == "exact" else 300) for n in ALLOCATORS])
def test_no_allocator_is_ever_above_the_budget_and_all_are_deterministic(
    name: str, draws: int
) -> None:
    draw = random.Random(name)
    for _ in range(draws):
        backbone, scores = drawn(draw, draw.randint(1, 9))
        everything = 4 * sum(rank_budget.price(site) for site in backbone.sites)
        budget = draw.choice([0, -3, 1, draw.randint(0, everything), draw.randint(0, everything)])
        settings = {**draw.choice(SETTINGS), "by": name}
        placed = allocation.allocate([scores], backbone, budget, settings)
        assert allocation.parameters(placed, backbone) <= max(0, budget)
        sizes = {"lora": "rank", "sparse": "entries"}
        assert all(p.settings[sizes[p.module]] > 0 for p in placed)
        assert len({p.site for p in placed}) == len(placed)
        assert placed == allocation.allocate([scores], backbone, budget, settings)


def test_what_is_placed_is_counted_as_its_module_type_counts() -> None:
    """A rank of AdaLoRA has an energy beside the vectors of one of LoRA; an entry is a weight."""
    backbone = backbone_of([(4, 6)] * 3)
    placed = [
        Placement("0.role0", "adalora", {"rank": 3, "scaling": 2.0, "live": 0.5}),
        Placement("0.role1", "sparse", {"entries": 7}),
        Placement("1.role0", "lora", {"rank": 2, "scaling": 2.0}),
    ]
    assert allocation.parameters(placed, backbone) == 3 * (4 + 6 + 1) + 7 + 2 * (4 + 6)
    assert allocation.parameters([], backbone) == 0


@pytest.mark.parametrize("name", ["ranks", "whole_sites", "exact"])
def test_a_site_that_is_worth_nothing_gets_nothing(name: str) -> None:
    backbone = backbone_of([(4, 4)] * 4)
    sites = {site.name: float(i == 2) for i, site in enumerate(backbone.sites)}
    placed = allocation.allocate([Scores("fisher", sites, {})], backbone, 10**6, {"by": name})
    assert [p.site for p in placed] == ["1.role0"]


@pytest.mark.parametrize("name", ["ranks", "whole_sites"])
def test_equal_sites_are_served_in_order(name: str) -> None:
    backbone = backbone_of([(4, 4)] * 5)
    scores = Scores("fisher", dict.fromkeys((s.name for s in backbone.sites), 1.0), {})
    placed = allocation.allocate([scores], backbone, 3 * 8, {"by": name, "rank": 1})
    assert [(p.site, p.settings["rank"]) for p in placed] == [
        ("0.role0", 1),
        ("0.role1", 1),
        ("1.role0", 1),
    ]


def test_parameters_are_shared_in_proportion_to_scores_without_ranks() -> None:
    backbone = backbone_of([(4, 4), (8, 8), (4, 4)])
    scores = Scores("fisher", {"0.role0": 1.0, "0.role1": 2.0, "1.role0": 4.0}, {})
    placed = allocation.allocate([scores], backbone, 7 * 16, {"max_rank": 64})
    spent = {p.site: allocation.parameters([p], backbone) for p in placed}
    assert spent == {"0.role0": 16, "0.role1": 32, "1.role0": 64}


def test_a_temperature_levels_or_sharpens() -> None:
    backbone = backbone_of([(4, 4)] * 2)
    scores = Scores("fisher", {"0.role0": 1.0, "0.role1": 3.0}, {})

    def ranks(temperature: float) -> list[int]:
        settings = {"temperature": temperature, "max_rank": 64}
        placed = allocation.allocate([scores], backbone, 20 * 8, settings)
        return [p.settings["rank"] for p in placed]

    assert ranks(1) == [5, 15]
    assert ranks(4)[0] > 5 > ranks(0.5)[0]


def test_rising_gains_are_averaged_with_those_before_them() -> None:
    backbone = backbone_of([(4, 4)] * 2)
    scores = Scores("dylora", {}, {}, rank={"0.role0": [0.0, 6.0], "0.role1": [2.0, 2.0]})
    found = rank_budget.worth(scores, backbone.sites, depth=3)
    np.testing.assert_allclose(found, [[1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 0]])


def test_the_integer_program_beats_greed_and_is_the_best_of_all() -> None:
    backbone = backbone_of([(5, 5), (4, 4), (4, 4)])
    # Per parameter the first site is best, but two of the others fit where it leaves room for none.
    ranks = {"0.role0": [1.1], "0.role1": [0.8], "1.role0": [0.8]}
    scores = Scores("dylora", dict.fromkeys(ranks, 1.0), {}, rank=ranks)
    best = allocation.allocate([scores], backbone, 16, {"by": "exact"})
    greedy = allocation.allocate([scores], backbone, 16, {"by": "ranks"})
    assert [p.site for p in best] == ["0.role1", "1.role0"]
    assert [p.site for p in greedy] == ["0.role0"]


def test_further_solutions_of_the_integer_program_are_worse_and_differ() -> None:
    draw = random.Random(1)
    backbone = backbone_of([(4, 4)] * 10)
    scores = Scores("fisher", {s.name: draw.random() for s in backbone.sites}, {})
    tables = []
    for number in (1, 2, 3):
        settings = {"by": "exact", "solution": number, "differ": 0.3}
        placed = allocation.allocate([scores], backbone, 160, settings)
        tables.append({p.site: p.settings["rank"] for p in placed})
    gains = rank_budget.worth(scores, backbone.sites, depth=16)

    def total(table: dict[str, int]) -> float:
        rows = zip(backbone.sites, gains, strict=True)
        return sum(row[: table.get(site.name, 0)].sum() for site, row in rows)

    assert total(tables[0]) >= total(tables[1]) >= total(tables[2])
    for i, one in enumerate(tables):
        for other in tables[:i]:
            assert sum(one.get(s.name) != other.get(s.name) for s in backbone.sites) >= 3


def test_uniform_is_one_rank_everywhere_or_every_mth_site() -> None:
    backbone = backbone_of([(4, 4)] * 6)
    scores = Scores("fisher", dict.fromkeys((s.name for s in backbone.sites), 1.0), {})

    def ranks(budget: int) -> list[int]:
        placed = allocation.allocate([scores], backbone, budget, {"by": "uniform"})
        of_site = {p.site: p.settings["rank"] for p in placed}
        return [of_site.get(site.name, 0) for site in backbone.sites]

    assert ranks(2 * 48 + 40) == [2] * 6
    assert ranks(25) == [1, 0, 1, 0, 1, 0]
    assert ranks(8) == [1, 0, 0, 0, 0, 0]
    assert ranks(7) == [0] * 6


# --- which scores are meant -------------------------------------------------------------------


def two(backbone: Backbone) -> list[Scores]:
    names = [site.name for site in backbone.sites]
    first = Scores("fisher", dict(zip(names, (3.0, 1.0), strict=True)), {})
    return [first, Scores("das", dict(zip(names, (10.0, 30.0), strict=True)), {})]


def test_a_mixture_is_of_shares() -> None:
    scores = two(backbone_of([(4, 4)] * 2))
    half = allocation.blended(scores, {"mixture": 0.5})
    assert list(half.site.values()) == pytest.approx([0.5, 0.5])
    assert allocation.blended(scores, {"mixture": 0}) is scores[0]
    assert allocation.blended(scores, {"mixture": 1}) is scores[1]
    assert allocation.blended(scores, {"method": "das"}) is scores[1]


def test_blocks_are_tweaked_in_the_order_of_the_layers() -> None:
    backbone = backbone_of([(4, 4)] * 4)
    scores = Scores("fisher", dict.fromkeys((s.name for s in backbone.sites), 1.0), {})
    settings = {"block[block 1]": 3.0, "block[block 0]": 1.0, "max_rank": 64}
    placed = allocation.allocate([scores], backbone, 16 * 8, settings)
    assert [p.settings["rank"] for p in placed] == [2, 2, 6, 6]


def test_scores_that_are_not_there_are_refused() -> None:
    backbone = backbone_of([(4, 4)] * 2)
    with pytest.raises(UsageError, match="no scores of the method `ist`"):
        allocation.allocate(two(backbone), backbone, 10, {"method": "ist"})
    with pytest.raises(UsageError, match=r"no value for the site `1\.role0`"):
        allocation.allocate(two(backbone), backbone_of([(4, 4)] * 3), 10, {"by": "ranks"})
    bad = Scores("fisher", {"0.role0": float("nan"), "0.role1": 1.0}, {})
    with pytest.raises(UsageError, match="`nan`"):
        allocation.allocate([bad], backbone, 10, {})
