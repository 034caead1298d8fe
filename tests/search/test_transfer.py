"""What one study teaches another: layers by relative depth, sites by role."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest

from autopeft import catalog
from autopeft.errors import UsageError
from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.problem import Problem
from autopeft.search import seeding
from autopeft.search.seeding import moved, seeds
from autopeft.search.transfer import Lesson, prior_of, warm_start
from autopeft.sites.discovery import discover
from autopeft.space.expansion import expand
from autopeft.types import Backbone, Configuration, Measured, Placement
from tests import tiny_models

MODULES = catalog.modules.all()


def backbone(layers: int) -> Backbone:
    model = tiny_models.frozen("bert", layers=layers)
    return discover(model, catalog.backbones.all(), name=str(layers))


SMALL, LARGE = backbone(3), backbone(6)


def lora(ranks: dict[str, int], rate: float = 1e-3) -> Configuration:
    placed = [
        Placement(site, "lora", {**MODULES["lora"].defaults, "rank": rank})
        for site, rank in ranks.items()
    ]
    return Configuration(tuple(placed), rate)


def lesson(count: int = 40) -> Lesson:
    """The higher the layer and the rank, the better."""
    draw = random.Random(0)
    configurations, scores = [], []
    for _ in range(count):
        ranks = {f"{layer}.attention.query": draw.choice([1, 2, 4, 8]) for layer in range(3)}
        configurations.append(lora(ranks))
        scores.append(Measured(sum(int(s[0]) * r for s, r in ranks.items()) + 50.0, 0.5))
    return Lesson("old.journal", SMALL, tuple(configurations), tuple(scores), (3, 1, 2))


def test_on_the_same_backbone_a_configuration_stays_what_it_is() -> None:
    one = lora({"0.attention.query": 2, "2.mlp.up": 4})
    assert moved(one, SMALL, SMALL) == one


def test_on_a_deeper_backbone_layers_keep_their_relative_depth() -> None:
    found = moved(lora({"2.attention.query": 8}), SMALL, LARGE)
    assert {p.site: p.settings["rank"] for p in found.placements} == {
        "4.attention.query": 8,
        "5.attention.query": 8,
    }
    back = moved(found, LARGE, SMALL)
    assert back == lora({"2.attention.query": 8})


def test_one_layer_is_as_deep_as_the_first() -> None:
    one = backbone(1)
    assert moved(lora({"0.mlp.up": 2}), SMALL, one) == lora({"0.mlp.up": 2})
    assert {p.site for p in moved(lora({"0.mlp.up": 2}), one, SMALL).placements} == {
        f"{layer}.mlp.up" for layer in range(3)
    }


def test_a_role_that_the_other_backbone_lacks_is_left_out() -> None:
    gpt2 = discover(tiny_models.frozen("gpt2"), catalog.backbones.all(), name="gpt2")
    found = moved(lora({"1.attention.query": 2, "1.mlp.up": 2}), SMALL, gpt2)
    assert {p.site for p in found.placements} == {"1.mlp.up"}


def test_the_prior_carries_over_to_another_depth() -> None:
    prior = warm_start(lesson(), LARGE, MODULES)
    low, high = (lora({f"{layer}.attention.query": 8}) for layer in (0, 5))
    assert prior.of(high) > prior.of(low)
    assert prior.of(lora({"5.attention.query": 8})) > prior.of(lora({"5.attention.query": 1}))


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_scores_are_told_from_those_that_follow_from_configurations(seed: int) -> None:
    real = lesson()
    shuffled = dataclasses.replace(
        real, scores=tuple(random.Random(seed).sample(real.scores, len(real.scores)))
    )
    with pytest.raises(UsageError, match=r"old\.journal` do not follow from its configurations"):
        warm_start(shuffled, LARGE, MODULES)
    assert warm_start(real, LARGE, MODULES)
    assert prior_of(shuffled, LARGE, MODULES)


@pytest.mark.parametrize(("count", "error"), [(16, 10.0), (8, 1.0)])
def test_errors_are_believed_only_where_that_predicts_better(count: int, error: float) -> None:
    """Trials that share their examples differ by less than their errors say."""
    real = lesson(count)
    vague = dataclasses.replace(real, scores=tuple(Measured(s.value, error) for s in real.scores))
    prior = warm_start(vague, LARGE, MODULES)
    low, high = (lora({f"{layer}.attention.query": 8}) for layer in (0, 5))
    assert prior.of(high) > prior.of(low)


def test_equal_scores_teach_nothing() -> None:
    one = lesson()
    flat = dataclasses.replace(one, scores=tuple(Measured(50.0, 0.5) for _ in one.scores))
    with pytest.raises(UsageError, match="by chance"):
        warm_start(flat, LARGE, MODULES)


def test_candidates_expect_what_the_prior_says_of_their_configuration() -> None:
    prior = warm_start(lesson(), LARGE, MODULES)
    space = expand(catalog.spaces.load("lora"), LARGE, MODULES)
    problem = Problem(
        space=space,
        directions=("maximize", "minimize"),
        modelled=0,
        costs=lambda c: (float(len(c.placements)),),
        feasible=lambda c: bool(c.placements),
        limits=(1e9,),
        design=(),
        seed=0,
        stratify=lambda c: float(len(c.placements)),
        prior=prior,
    )
    draw = random.Random(1)
    points = [tuple(draw.randrange(len(d.values)) for d in space.dimensions) for _ in range(20)]
    found = [c for c in Candidates(problem).look(Candidates(problem).grid.array(points)) if c]
    assert found
    for candidate in found:
        expected = prior.of(space.decode(candidate.point))
        assert candidate.expected == pytest.approx(expected, abs=1e-9)


def size(configuration: Configuration) -> float:
    return sum(float(p.settings["rank"]) for p in configuration.placements)


def front_of(*points: tuple[int, float]) -> Lesson:
    """A front of (rank, score), the cheapest first, beside a trial that is worth nothing."""
    configurations = tuple(lora({"2.attention.query": rank}) for rank, _ in points)
    scores = tuple(Measured(score, 0.5) for _, score in points)
    return Lesson(
        "old.journal",
        SMALL,
        (*configurations, lora({"0.attention.query": 1})),
        (*scores, Measured(50.0, 0.5)),
        tuple(range(len(points))),
    )


def sown(old: Lesson, limit: float = 100.0) -> list[float]:
    return [size(c) for c in seeds(old, SMALL, size=size, limit=limit)]


def test_seeds_are_the_three_that_cover_most_of_the_earlier_front() -> None:
    old = front_of((1, 51.0), (2, 70.0), (8, 72.0), (16, 90.0), (32, 91.0))
    assert sown(old) == [2, 16, 8]
    assert len(sown(old)) == seeding.SEEDS
    assert sown(front_of((4, 60.0))) == [4]
    assert sown(front_of()) == []


def test_what_adds_nothing_is_no_seed() -> None:
    assert sown(front_of((2, 70.0), (4, 70.0))) == [2]
    old = front_of((2, 70.0))
    empty = Lesson("s", SMALL, (Configuration((), 1e-3),), (Measured(99.0, 0.5),), (0,))
    assert seeds(empty, SMALL, size=size, limit=100.0) == []
    both = Lesson(
        "s",
        SMALL,
        (*empty.configurations, *old.configurations),
        (*empty.scores, *old.scores),
        (0, 1),
    )
    assert sown(both) == [2]


def test_what_is_over_the_new_budget_is_a_seed_still() -> None:
    assert sown(front_of((2, 70.0), (16, 90.0)), limit=8) == [2, 16]
    assert sown(front_of((32, 80.0), (64, 90.0)), limit=8) == [64]


def test_a_lesson_survives_being_stored() -> None:
    old = lesson()
    assert Lesson.from_json(json.loads(json.dumps(old.to_json()))) == old


def test_too_few_scores_teach_nothing() -> None:
    with pytest.raises(UsageError, match="7 scored trials, too few"):
        warm_start(lesson(7), LARGE, MODULES)
