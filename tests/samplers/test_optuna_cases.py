"""Optuna's own public test cases for samplers, with ours around a problem of its own.

The cases for relative sampling are left out: they hand a sampler one search space after another,
and ours searches the one of its problem. What those cases check is tested in `test_properties`.
"""

import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase

from autopeft import catalog
from tests import toy_problem

PROBLEM = toy_problem.problem(toy_problem.expanded(toy_problem.SWITCHES))


@pytest.fixture(params=["gp", "random", "tpe"])
def sampler(request):
    return lambda: catalog.samplers.load(request.param).build(PROBLEM, 0)


class TestBasic(BasicSamplerTestCase):
    @pytest.fixture(params=["gp", "random", "tpe"])
    def sampler(self, request):
        return lambda: catalog.samplers.load(request.param).build(PROBLEM, 0)


class TestMultiObjective(MultiObjectiveSamplerTestCase):
    @pytest.fixture(params=["gp", "random", "tpe"])
    def sampler(self, request):
        return lambda: catalog.samplers.load(request.param).build(PROBLEM, 0)
