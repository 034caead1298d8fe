"""Over random spaces: every suggestion feasible, new, inside the space, the same after a resume."""

import dataclasses

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from autopeft.optimiser import gp, hyperparameters
from autopeft.optimiser.candidates import identity_of
from autopeft.optimiser.designed import Exhausted
from autopeft.optimiser.initial_design import spread
from tests import toy_problem

QUICK = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(sorted)
SCOPES = st.sampled_from(["model", "layer", "group", "site"])


@st.composite
def spaces(draw):
    """A space with or without adapters, switches, a choice that others depend on, and a float."""
    zero = [0] if draw(st.booleans()) else []
    lines = [f"  lora.rank: {{choice: {[*zero, *draw(SIZES)]}, per: {draw(SCOPES)}}}"]
    modules = ["lora"]
    if draw(st.booleans()):
        modules.append("adapter")
        when = ", when: {kind: both}" if draw(st.booleans()) else ""
        lines.append(f"  adapter.bottleneck: {{choice: {[0, *draw(SIZES)]}{when}}}")
        if when:
            lines.insert(0, "  kind: {choice: [alone, both]}")
    if draw(st.booleans()):
        lines.append("  active: {choice: [false, true], per: layer}")
    rates = ["choice: [1.0e-3]", "choice: [1.0e-4, 1.0e-3]", "float: [1.0e-4, 1.0e-2], log: true"]
    lines.append(f"  learning_rate: {{{draw(st.sampled_from(rates))}}}")
    text = f"name: drawn\nmodules: [{', '.join(modules)}]\ndimensions:\n" + "\n".join(lines)
    return toy_problem.expanded(text, layers=draw(st.integers(1, 4)))


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    monkeypatch.setattr(hyperparameters, "STEPS", 10)
    monkeypatch.setattr(gp, "EVALUATIONS", 200)
    monkeypatch.setattr(gp, "LEAST_OBSERVATIONS", 3)


def problem_of(space, limit, costs, scored):
    worth = (lambda placement: float(placement.site[0])) if scored else None
    problem = toy_problem.problem(space, limit=limit, costs=costs, worth=worth)
    return dataclasses.replace(problem, design=spread(problem, 3, 0))


def go_on(study, sampler, problem, trials, fate):
    """Continue a study to a number of trials, or until the space is used up."""
    while (number := len(study.get_trials(deepcopy=False))) < trials:
        try:
            trial, configuration = toy_problem.asked(study, sampler, problem)
        except Exhausted:
            return
        if fate[number] == "fail":
            study.tell(trial, state=TrialState.FAIL)
        elif fate[number] == "complete":
            study.tell(trial, toy_problem.values(problem, configuration))


def copied(study, count):
    """The first trials of a study in a new one, as a resume finds them."""
    again = optuna.create_study(directions=study.directions)
    for trial in study.get_trials(deepcopy=True)[:count]:
        again.add_trial(trial)
    return again


@pytest.mark.parametrize("sampler", ["gp", "random"])
@QUICK
@given(
    space=spaces(),
    limit=st.sampled_from([32.0, 200.0, 2000.0]),
    costs=st.integers(0, 2),
    scored=st.booleans(),
    fate=st.lists(
        st.sampled_from(["complete", "complete", "complete", "fail", "run"]),
        min_size=9,
        max_size=9,
    ),
    stop=st.integers(1, 8),
)
def test_suggestions_hold_what_is_promised(sampler, space, limit, costs, scored, fate, stop):
    problem = problem_of(space, limit, costs, scored)
    study = optuna.create_study(directions=list(problem.directions))
    go_on(study, sampler, problem, 9, fate)
    points = toy_problem.points(study, problem)
    configurations = [space.decode(point) for point in points]
    assert all(space.canonical(point) == point for point in points)
    assert all(map(problem.feasible, configurations))
    assert len(set(map(identity_of, configurations))) == len(points)
    resumed = copied(study, min(stop, len(points)))
    go_on(resumed, sampler, problem_of(space, limit, costs, scored), 9, fate)
    assert toy_problem.points(resumed, problem) == points
