import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from autopeft.optimiser.designed import DesignedSampler, Exhausted, distributions
from tests import toy_problem

RANKS = toy_problem.expanded(toy_problem.RANKS)
TINY = toy_problem.expanded(toy_problem.TINY)


class Scripted(optuna.samplers.BaseSampler):
    """Proposes given points in turn, and counts how often it is asked."""

    def __init__(self, *proposals):
        self.proposals = list(proposals)
        self.asked = 0

    def infer_relative_search_space(self, study, trial):
        raise AssertionError("the space is fixed")

    def sample_relative(self, study, trial, search_space):
        self.asked += 1
        return dict(self.proposals[min(self.asked, len(self.proposals)) - 1])

    def sample_independent(self, study, trial, param_name, param_distribution):
        return param_distribution.to_external_repr(0)


def point(rank, rate):
    return TINY.point({"lora.rank": rank, "learning_rate": rate})


def suggested(problem, inner=None, study=None, seed=0):
    study = study or optuna.create_study(directions=list(problem.directions))
    sampler = DesignedSampler(problem, seed, inner=inner)
    study.sampler = sampler
    trial = study.ask(fixed_distributions=distributions(problem.space))
    return problem.space.point(trial.params), sampler.origin


def test_long_lists_of_floats_are_ranges_and_all_else_is_a_choice():
    found = distributions(RANKS)
    assert list(found) == [d.name for d in RANKS.dimensions]
    assert found["learning_rate"] == FloatDistribution(1e-4, 1e-2, log=True)
    assert found["lora.rank[0.mlp.up]"] == CategoricalDistribution((0, 1, 2, 4, 8))


def test_a_linear_range_is_not_logarithmic():
    text = toy_problem.RANKS.replace("log: true", "log: false")
    found = distributions(toy_problem.expanded(text))["learning_rate"]
    assert found == FloatDistribution(1e-4, 1e-2)


def test_the_design_comes_first_and_in_order():
    design = (point(2, 1e-3), point(1, 1e-4))
    problem = toy_problem.problem(TINY, design=design)
    study = optuna.create_study(directions=list(problem.directions))
    inner = Scripted({"lora.rank": 1, "learning_rate": 1e-3})
    found = [suggested(problem, inner, study) for _ in range(3)]
    assert found == [
        (design[0], "initial"),
        (design[1], "initial"),
        (point(1, 1e-3), "model"),
    ]


def test_design_points_that_are_known_or_over_a_limit_are_skipped():
    design = (point(2, 1e-3), point(1, 1e-4), point(1, 1e-3))
    problem = toy_problem.problem(TINY, design=design, limit=128.0)
    study = optuna.create_study(directions=list(problem.directions))
    toy_problem.baseline(study, TINY.decode(design[1]), [0.5, 128.0])
    assert toy_problem.size(TINY.decode(design[0])) > 128
    assert suggested(problem, study=study)[0] == point(1, 1e-3)


def test_an_infeasible_proposal_is_repaired_without_asking_again():
    inner = Scripted({"lora.rank": 0, "learning_rate": 1e-3})
    found, origin = suggested(toy_problem.problem(TINY), inner)
    assert (inner.asked, origin) == (1, "model")
    assert toy_problem.size(TINY.decode(found)) > 0


def test_a_known_proposal_is_repaired():
    inner = Scripted({"lora.rank": 2, "learning_rate": 1e-3})
    problem = toy_problem.problem(TINY)
    study = optuna.create_study(directions=list(problem.directions))
    first, second = (suggested(problem, inner, study) for _ in range(2))
    assert first == (point(2, 1e-3), "model")
    assert second[0] != first[0]
    assert second[1] == "model"


def test_a_sampler_that_proposes_nothing_leaves_it_to_chance():
    found, origin = suggested(toy_problem.problem(TINY), Scripted({}))
    assert toy_problem.size(TINY.decode(found)) > 0
    assert origin == "random"


def test_an_exhausted_space_is_said_and_leaves_no_running_trial():
    problem = toy_problem.problem(TINY)
    study = optuna.create_study(directions=list(problem.directions))
    assert len({suggested(problem, study=study)[0] for _ in range(4)}) == 4
    with pytest.raises(Exhausted, match="tiny"):
        suggested(problem, study=study)
    states = [t.state for t in study.get_trials(deepcopy=False)]
    assert states == [TrialState.RUNNING] * 4 + [TrialState.FAIL]


def test_a_parameter_that_is_no_dimension_is_drawn_at_random():
    study = optuna.create_study()
    study.sampler = DesignedSampler(toy_problem.problem(TINY), 0)
    drawn = [
        study.ask({"depth": CategoricalDistribution((1, 2))}).params["depth"] for _ in "123456"
    ]
    assert set(drawn) == {1, 2}


def test_a_dimension_is_never_chosen_alone():
    study = optuna.create_study()
    sampler = DesignedSampler(toy_problem.problem(TINY), 0)
    rank = CategoricalDistribution((0, 1, 2))
    with pytest.raises(ValueError, match=r"`lora.rank` is never chosen alone"):
        sampler.sample_independent(study, study.ask()._get_latest_trial(), "lora.rank", rank)
