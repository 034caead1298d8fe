import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from autopeft.optimiser.cost_scale import cost_scale
from autopeft.optimiser.designed import distributions
from autopeft.optimiser.ordinal import OrdinalSampler
from tests import toy_problem

MIXED = toy_problem.expanded("""
name: mixed
modules: [lora, adapter]
dimensions:
  active: {choice: [false, true], per: layer}
  method: {choice: [lora, adapter]}
  lora.rank: {choice: [0, 1, 2, 4, 8], when: {method: lora}}
  adapter.bottleneck: {choice: [1, 4], when: {method: adapter}}
  learning_rate: {float: [1.0e-4, 1.0e-2], log: true}
""")
FIXED_RATE = toy_problem.expanded(toy_problem.TINY.replace("[1.0e-4, 1.0e-3]", "[1.0e-3]"))


class Watching(optuna.samplers.BaseSampler):
    """Proposes what it is given, and keeps what it was shown."""

    def __init__(self, proposal):
        self.proposal = proposal
        self.space = {}
        self.study = None

    def infer_relative_search_space(self, study, trial):
        return {name: self.space[name] for name in self.proposal}

    def sample_relative(self, study, trial, search_space):
        self.study = study
        self.number = trial.number
        return dict(self.proposal)

    def sample_independent(self, study, trial, param_name, param_distribution):
        return 0

    @property
    def shown(self):
        return [t for t in self.study.get_trials(deepcopy=False) if t.number != self.number]


def values(**changes):
    found = {f"active[{layer}]": True for layer in range(4)}
    found |= {"method": "lora", "lora.rank": 4, "adapter.bottleneck": 1}
    return {**found, "learning_rate": 0.001, **changes}


def shown(**changes):
    found = {f"active[{layer}]": True for layer in range(4)}
    found |= {"method": "lora", "lora.rank": 3, "adapter.bottleneck": 0}
    return {**found, "learning_rate": 0.5, **changes}


def asked(problem, watching, study):
    sampler = OrdinalSampler(problem, watching)
    number = study.ask().number
    trial = study.get_trials()[number]
    watching.space = sampler.infer_relative_search_space(study, trial)
    return sampler.sample_relative(study, trial, watching.space)


def added(study, problem, told, state=TrialState.COMPLETE, params=None, **attributes):
    study.add_trial(
        optuna.trial.create_trial(
            state=state,
            values=told,
            params=params or values(),
            distributions=distributions(problem.space),
            user_attrs=attributes,
        )
    )


def test_numbers_are_shown_in_order_many_of_them_as_a_range_and_choices_as_they_are():
    space = OrdinalSampler(toy_problem.problem(MIXED), Watching({})).infer_relative_search_space(
        optuna.create_study(), None
    )
    assert space == {
        **{f"active[{layer}]": CategoricalDistribution((False, True)) for layer in range(4)},
        "lora.rank": IntDistribution(0, 4),
        "adapter.bottleneck": IntDistribution(0, 1),
        "method": CategoricalDistribution(("lora", "adapter")),
        "learning_rate": FloatDistribution(0.0, 1.0),
    }


def test_a_suggestion_is_read_back_as_values_of_the_space():
    problem = toy_problem.problem(MIXED)
    study = optuna.create_study(directions=list(problem.directions))
    assert asked(problem, Watching(shown()), study) == values()
    changed = shown(
        **{"active[2]": False, "method": "adapter", "adapter.bottleneck": 1}, learning_rate=0.2508
    )
    near = asked(problem, Watching(changed), study)
    least = math.log10(near["learning_rate"] / 1e-4) / 2
    assert least == pytest.approx(0.2508, abs=0.01)
    expected = {"active[2]": False, "method": "adapter", "adapter.bottleneck": 4}
    assert near == values(**expected, learning_rate=near["learning_rate"])


def test_finished_trials_are_shown_with_costs_on_the_scale_of_the_front():
    problem = toy_problem.problem(MIXED, costs=2, limit=2_000.0)
    study = optuna.create_study(directions=list(problem.directions))
    configuration = problem.space.decode(problem.space.point(values()))
    costs = problem.costs(configuration)
    added(study, problem, [0.7, *costs])
    watching = Watching(shown())
    asked(problem, watching, study)
    (seen,) = watching.shown
    assert seen.params == pytest.approx(shown())
    assert seen.values == [0.7, *cost_scale(problem, [costs])(costs)]
    assert [d.name for d in watching.study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]


def test_the_modelled_objective_keeps_its_place_and_direction():
    problem = toy_problem.problem(
        MIXED, limit=2_000.0, directions=("minimize", "minimize"), modelled=1
    )
    study = optuna.create_study(directions=list(problem.directions))
    added(study, problem, [64.0, 0.3])
    watching = Watching(shown())
    asked(problem, watching, study)
    (seen,) = watching.shown
    assert seen.values[1] == 0.3
    assert 0 < seen.values[0] < math.log1p(1000)
    assert [d.name for d in watching.study.directions] == ["MINIMIZE", "MINIMIZE"]


def test_stopped_trials_are_shown_as_expected_and_running_ones_as_running():
    problem = toy_problem.problem(MIXED)
    study = optuna.create_study(directions=list(problem.directions))
    added(study, problem, None, TrialState.PRUNED, expected=[0.6, 64.0])
    added(study, problem, None, TrialState.RUNNING, values(**{"lora.rank": 2}))
    added(study, problem, None, TrialState.FAIL, values(**{"lora.rank": 1}))
    uneven = toy_problem.expanded(toy_problem.RANKS)
    toy_problem.baseline(
        study, uneven.decode((1, 2, *[0] * (len(uneven.dimensions) - 2))), [0.5, 9]
    )
    watching = Watching(shown())
    asked(problem, watching, study)
    stopped, running = watching.shown
    assert (stopped.state, stopped.values[0]) == (TrialState.COMPLETE, 0.6)
    assert running.state == TrialState.RUNNING
    assert running.params == pytest.approx(shown(**{"lora.rank": 2}))


def test_what_has_one_value_only_is_not_shown():
    problem = toy_problem.problem(FIXED_RATE)
    study = optuna.create_study(directions=list(problem.directions))
    watching = Watching({"lora.rank": 2})
    assert asked(problem, watching, study) == {"lora.rank": 2, "learning_rate": 0.001}
    assert watching.space == {"lora.rank": IntDistribution(0, 2)}


def test_what_is_left_out_is_asked_for_alone_and_nothing_at_all_is_left_to_chance():
    problem = toy_problem.problem(toy_problem.expanded(toy_problem.TINY))
    study = optuna.create_study(directions=list(problem.directions))
    found = asked(problem, Watching({"lora.rank": 2}), study)
    assert found == {"lora.rank": 2, "learning_rate": 1e-4}
    assert asked(problem, Watching({}), study) == {}


def test_nothing_is_chosen_alone():
    study = optuna.create_study()
    sampler = OrdinalSampler(toy_problem.problem(MIXED), Watching({}))
    with pytest.raises(ValueError, match=r"`lora.rank` is not a dimension of `mixed`"):
        sampler.sample_independent(study, None, "lora.rank", IntDistribution(0, 4))
