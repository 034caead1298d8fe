"""The initial design and the defaults: feasible, within budget, and where they say they are."""

from __future__ import annotations

import pytest

from autopeft import budget, catalog, digest
from autopeft.baselines import baselines
from autopeft.optimiser.problem import Problem
from autopeft.search.design import design, project
from autopeft.sites.discovery import discover
from autopeft.space.expansion import expand
from autopeft.space.space import Space
from autopeft.types import Backbone, Configuration, Placement, Scores
from tests import tiny_models

MODULES = catalog.modules.all()
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


def backbone_of(layers: int = 4) -> Backbone:
    return discover(tiny_models.frozen("bert", layers=layers), catalog.backbones.all(), name="b")


BERT = backbone_of()


def count(configuration: Configuration) -> int:
    return budget.count(configuration, BERT, MODULES).parameters


def problem(space: Space, limit: int) -> Problem:
    return Problem(
        space=space,
        directions=("maximize", "minimize"),
        modelled=0,
        costs=lambda c: (float(count(c)),),
        feasible=lambda c: 0 < count(c) <= limit,
        limits=(float(limit),),
        design=(),
        seed=0,
        stratify=count,
    )


def scores(favourite: str) -> Scores:
    """All sensitivity in the weights of one layer."""
    histogram = {}
    for site in BERT.sites:
        if site.kind == "linear":
            bins = [0] * 400
            bins[350 if site.name.startswith(favourite) else 50] = 256
            histogram[site.name] = bins
    detail = {"histogram": histogram, "lowest_exponent": -30, "bins_per_decade": 10}
    return Scores("spt", dict.fromkeys(histogram, 1.0), {}, detail)


@pytest.mark.parametrize("name", ["lora", "mixed", "autopeft"])
@pytest.mark.parametrize("limit", [400, 1500, 10**6])
def test_every_point_is_feasible_and_new(name: str, limit: int) -> None:
    space = expand(catalog.spaces.load(name), BERT, MODULES)
    found = design(problem(space, limit), BERT, limit=limit, importance={"spt": scores("2.")})
    decoded = [space.decode(point) for point in found.points]
    assert len(decoded) >= 4
    assert all(0 < count(c) <= limit for c in decoded)
    assert len({digest.of_configuration(c) for c in decoded}) == len(decoded)
    assert all(space.canonical(point) == point for point in found.points)
    assert set(found.origins.values()) >= {"spread"}


def test_what_an_earlier_study_found_comes_first_and_the_design_stays_short() -> None:
    space = expand(catalog.spaces.load("lora"), BERT, MODULES)
    rank, site = {"rank": 2, "scaling": 2.0}, next(s.name for s in BERT.sites if s.kind == "linear")
    earlier = [Configuration((Placement(site, "lora", rank),), rate) for rate in RATES]
    given = {"spt": scores("2.")}

    def origins(seeds: list[Configuration]) -> list[str]:
        found = design(problem(space, 10**6), BERT, limit=10**6, importance=given, seeds=seeds)
        return [found.origins[digest.of_configuration(space.decode(p))] for p in found.points]

    assert origins(earlier) == ["warm start"] * 4
    assert origins(earlier[:3]) == ["warm start"] * 3 + ["importance: spt"]
    assert origins(earlier[:2]) == ["warm start"] * 2 + ["importance: spt", "upper layers"]
    assert origins([])[-2:] == ["spread"] * 2
    assert "warm start" not in origins([])


def test_points_that_spread_stand_in_for_missing_guesses() -> None:
    space = expand(catalog.spaces.load("lora"), BERT, MODULES)
    found = design(problem(space, 10**6), BERT, limit=10**6, importance={})
    assert sorted(found.origins.values()) == ["spread"] * 5 + ["upper layers"]


def test_importance_puts_modules_where_the_sensitivity_is() -> None:
    space = expand(catalog.spaces.load("lora"), BERT, MODULES)
    found = design(problem(space, 1000), BERT, limit=1000, importance={"spt": scores("2.")})
    mine = [
        space.decode(p)
        for p in found.points
        if found.origins[digest.of_configuration(space.decode(p))] == "importance: spt"
    ]
    assert mine
    for configuration in mine:
        assert {p.site.split(".")[0] for p in configuration.placements} == {"2"}


def test_upper_layers_only() -> None:
    space = expand(catalog.spaces.load("mixed"), BERT, MODULES)
    found = design(problem(space, 10**6), BERT, limit=10**6, importance={})
    upper = space.decode(found.points[0])
    assert found.origins[digest.of_configuration(upper)] == "upper layers"
    assert {p.site.split(".")[0] for p in upper.placements} == {"2", "3"}


def test_projecting_what_the_space_holds_is_exact() -> None:
    space = expand(catalog.spaces.load("lora"), BERT, MODULES)
    values = {d.name: 0 for d in space.dimensions} | {"learning_rate": 1e-3, "lora.rank[1,mlp]": 8}
    point = space.point(values)
    assert project(space, space.decode(point)) == point


def test_projecting_rounds_to_the_nearest_size() -> None:
    space = expand(catalog.spaces.load("lora"), BERT, MODULES)
    placed = tuple(
        Placement(f"1.mlp.{part}", "lora", {"rank": 7, "scaling": 2.0}) for part in ("up", "down")
    )
    values = space.values(project(space, Configuration(placed, 1.04e-3)))
    assert values["lora.rank[1,mlp]"] == 8
    assert values["lora.rank[0,mlp]"] == 0
    assert values["learning_rate"] == 1e-3


@pytest.mark.parametrize("limit", [0, 100, 700, 10**7])
def test_defaults_are_within_the_budget(limit: int) -> None:
    found = baselines(BERT, MODULES, limit=limit)
    assert found[-1].label == "head only"
    assert all(count(one.configuration) <= limit for one in found)
    assert len({digest.of_configuration(one.configuration) for one in found}) == len(found)


def test_defaults_are_what_their_names_say() -> None:
    found = {one.label: one.configuration for one in baselines(BERT, MODULES, limit=10**7)}
    plain = found["LoRA r=8 on q,v"]
    assert {p.site.split(".", 1)[1] for p in plain.placements} == {
        "attention.query",
        "attention.value",
    }
    assert count(plain) == 4 * 2 * 8 * (16 + 16)
    slow = found["LoRA r=8 on q,v, rate 1e-3"]
    assert slow.learning_rate < plain.learning_rate
    upper = found["LoRA r=8 on q,v of the upper half"]
    assert {p.site[0] for p in upper.placements} == {"2", "3"}
    small = {one.label for one in baselines(BERT, MODULES, limit=count(plain) // 2)}
    assert "LoRA r=4 on q,v" in small
