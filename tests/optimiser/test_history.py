import json
import math

import optuna
import pytest

from autopeft.optimiser.candidates import Candidates, identity_of
from autopeft.optimiser.designed import distributions
from autopeft.optimiser.history import read
from autopeft.types import Configuration, Placement
from tests import toy_problem

SPACE = toy_problem.expanded(toy_problem.SWITCHES)
CANDIDATES = Candidates(toy_problem.problem(SPACE))
OUTSIDE = Configuration((Placement("0.mlp", "adapter", {"bottleneck": 3}),), 5e-4)


@pytest.fixture
def study():
    return optuna.create_study(directions=["maximize", "minimize"])


def add(study, point, *, state="COMPLETE", told=(0.5, 16.0), **attributes):
    study.add_trial(
        optuna.trial.create_trial(
            params=SPACE.values(point),
            distributions=distributions(SPACE),
            values=list(told) if state == "COMPLETE" else None,
            state=optuna.trial.TrialState[state],
            user_attrs=attributes,
        )
    )


def point(adapter, rate=0):
    switches = {"active[0]": True, "active[1]": True, "active[2]": False, "active[3]": False}
    rest = {d.name: d.values[0] for d in SPACE.dimensions}
    rates = SPACE.dimensions[SPACE.learning_rate].values
    values = {**rest, **switches, "adapter.bottleneck": adapter, "learning_rate": rates[rate]}
    return SPACE.point(values)


def test_an_empty_study_has_no_history(study):
    assert read(study, CANDIDATES) == read(study, CANDIDATES, before=0)
    assert read(study, CANDIDATES).seen == frozenset()


def test_finished_trials_are_observations_with_their_errors(study):
    add(study, point(2), errors=[0.01, 0.0])
    (found,) = read(study, CANDIDATES).completed
    assert found.point == point(2)
    assert found.configuration is None
    assert (found.values, found.errors) == ((0.5, 16.0), (0.01, 0.0))


def test_a_stopped_trial_is_observed_as_it_was_expected_to_end(study):
    add(study, point(2), state="PRUNED", expected=[0.4, 16.0], errors=[0.05, 0.0])
    (found,) = read(study, CANDIDATES).completed
    assert (found.values, found.errors) == ((0.4, 16.0), (0.05, 0.0))


@pytest.mark.parametrize(
    ("state", "observed"), [("COMPLETE", [0.5]), ("FAIL", []), ("RUNNING", [])]
)
def test_what_is_trained_after_all_counts_instead_of_what_was_expected(study, state, observed):
    add(study, point(2), state="PRUNED", expected=[0.4, 16.0], digest="one")
    add(study, point(4), state="PRUNED", expected=[0.3, 32.0], digest="other")
    add(study, point(2), state=state, digest="one")
    found = read(study, CANDIDATES)
    assert [o.values[0] for o in found.completed] == [0.3, *observed]
    assert found.running == ((point(2),) if state == "RUNNING" else ())


@pytest.mark.parametrize("errors", [None, [math.nan, None], [math.inf, 0.0]])
def test_an_error_that_is_no_number_counts_as_unknown(study, errors):
    add(study, point(2), errors=errors)
    assert read(study, CANDIDATES).completed[0].errors == (0.0, 0.0)


def test_running_and_failed_trials_are_seen_but_not_observed(study):
    add(study, point(1), state="RUNNING")
    add(study, point(2), state="FAIL")
    history = read(study, CANDIDATES)
    assert history.completed == ()
    assert history.running == (point(1),)
    assert history.seen == {identity_of(SPACE.decode(point(n))) for n in (1, 2)}


def test_the_trial_that_is_asked_for_is_left_out(study):
    add(study, point(1), state="RUNNING")
    assert read(study, CANDIDATES, before=0).seen == frozenset()


def test_infinite_values_are_seen_but_not_observed(study):
    add(study, point(1), told=(-math.inf, 16.0))
    history = read(study, CANDIDATES)
    assert history.completed == ()
    assert len(history.seen) == 1


@pytest.mark.parametrize("form", [lambda data: data, json.dumps])
def test_a_baseline_outside_the_space_is_observed_without_a_point(study, form):
    attributes = {"configuration": form(OUTSIDE.to_json())}
    study.add_trial(optuna.trial.create_trial(values=[0.4, 48.0], user_attrs=attributes))
    (found,) = read(study, CANDIDATES).completed
    assert (found.point, found.configuration) == (None, OUTSIDE)


def test_a_baseline_that_the_space_can_express_has_its_point(study):
    toy_problem.baseline(study, SPACE.decode(point(2)), [0.4, 32.0])
    assert read(study, CANDIDATES).completed[0].point == point(2)


def test_a_trial_that_never_got_its_values_is_nothing(study):
    study.ask()
    assert read(study, CANDIDATES).seen == frozenset()


def test_parameters_of_another_space_are_nothing(study):
    study.add_trial(
        optuna.trial.create_trial(
            params={"x": 1},
            distributions={"x": optuna.distributions.IntDistribution(0, 3)},
            values=[0.4, 1.0],
        )
    )
    assert read(study, CANDIDATES).completed == ()
