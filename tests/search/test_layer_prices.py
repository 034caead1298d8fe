"""Prices added up by layer against the same configurations counted whole, on real models."""

import math
import statistics
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from autopeft import catalog
from autopeft.evaluate import Evaluator
from autopeft.optimiser.candidates import Candidates
from autopeft.optimiser.problem import Problem
from autopeft.search import layer_prices
from autopeft.sites.discovery import discover
from autopeft.space.expansion import expand
from autopeft.training.memory import MemoryModel
from autopeft.training.memory_target import Target
from autopeft.training.multiply_adds import MultiplyAdds
from tests import tiny_models

MODULES = catalog.modules.all()
TASK = catalog.tasks.load("text_classification")
KNOWN = [catalog.objectives.load(name) for name in ("trainable_parameters", "peak_memory")]


def evaluator(family):
    model = tiny_models.frozen(family, layers=3)
    backbone = discover(model, catalog.backbones.all(), name=family)
    memory = MemoryModel(model, backbone, MODULES, (), Target(4, 8), TASK)
    found = Evaluator.__new__(Evaluator)
    for name, value in {"backbone": backbone, "modules": MODULES, "memory": memory}.items():
        object.__setattr__(found, name, value)
    return found


def problem(found, space, parameters, memory):
    def outcome(configuration):
        return found.before_training(configuration).measurements

    def feasible(configuration):
        known = outcome(configuration)
        within = 0 < known["trainable"].value <= parameters
        return within and known["memory_predicted"].value <= memory

    return Problem(
        space=space,
        directions=("maximize", "minimize", "minimize"),
        modelled=0,
        costs=lambda c: tuple(o.value(found.before_training(c)).value for o in KNOWN),
        feasible=feasible,
        limits=(math.inf, memory),
        design=(),
        seed=0,
        stratify=lambda c: outcome(c)["trainable"].value,
    )


def _costs(prices):
    return [(price.size, price.costs[1]) for price in prices]


@pytest.fixture(scope="module")
def bert():
    return evaluator("bert")


@pytest.mark.parametrize("name", ["lora", "mixed", "autopeft"])
def test_both_ways_give_the_same_prices_and_identities(bert, name):
    space = expand(catalog.spaces.load(name), bert.backbone, MODULES)
    rng = np.random.default_rng(0)
    points = [space.random(rng) for _ in range(25)]
    points.append(tuple(d.off for d in space.dimensions))
    whole = Candidates(problem(bert, space, 10**6, math.inf)).look(np.array(points, np.int16))
    found = [c.price for c in whole if c is not None]
    size, memory = (statistics.median_high(column) for column in zip(*_costs(found), strict=True))
    limits = [(10**6, math.inf), (int(size), math.inf), (10**6, memory)]
    for parameters, allowed in limits:
        plain = problem(bert, space, parameters, allowed)
        prices = layer_prices.prices(bert, KNOWN, parameters=parameters, memory=allowed)
        rows = np.array(points, np.int16)
        expected = Candidates(plain).look(rows)
        assert Candidates(replace(plain, layered=prices)).look(rows) == expected
        assert any(expected)
        assert expected[-1] is None


def test_multiply_adds_add_up_over_layers(bert):
    space = expand(catalog.spaces.load("das"), bert.backbone, MODULES)
    found = evaluator("bert")
    compute = MultiplyAdds(bert.memory.model, bert.backbone, MODULES, (), 8)
    object.__setattr__(found, "compute", compute)
    known = [catalog.objectives.load("compute")]
    prices = layer_prices.prices(found, known, parameters=10**6, memory=math.inf)
    rng = np.random.default_rng(1)
    points = [space.random(rng) for _ in range(30)]
    plain = replace(
        problem(found, space, 10**6, math.inf),
        costs=lambda c: (known[0].value(found.before_training(c)).value,),
    )
    rows = np.array(points, np.int16)
    expected = Candidates(plain).look(rows)
    assert Candidates(replace(plain, layered=prices)).look(rows) == expected
    shares = {c.price.costs[0] for c in expected if c is not None}
    assert min(shares) < 70 < 100 in shares


def test_layers_that_are_no_single_stack_are_counted_whole(bert):
    paths = tuple(f"{'encoder' if i else 'decoder'}.{i}" for i in range(3))
    memory = replace(bert.memory, backbone=replace(bert.backbone, layers=paths))
    found = SimpleNamespace(memory=memory)
    assert layer_prices.prices(found, KNOWN, parameters=1, memory=math.inf) is None
