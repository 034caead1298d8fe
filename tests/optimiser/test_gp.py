import dataclasses
import math

import optuna
import pytest
from optuna.trial import TrialState

from autopeft import pareto
from autopeft.optimiser import gp, history, hyperparameters, surrogate
from autopeft.optimiser.candidates import candidates_of, identity_of
from autopeft.optimiser.initial_design import spread
from autopeft.types import Configuration, Placement
from tests import toy_problem

RANKS = toy_problem.expanded(toy_problem.RANKS)


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Short fits and searches: these tests are about what is suggested, not how well."""
    monkeypatch.setattr(hyperparameters, "STEPS", 15)
    monkeypatch.setattr(gp, "EVALUATIONS", 400)


def designed(count=8, **settings):
    problem = toy_problem.problem(RANKS, **settings)
    return dataclasses.replace(problem, design=spread(problem, count, 0))


@pytest.fixture(scope="module")
def started():
    """A problem and the history of its evaluated design."""
    problem = designed(10)
    return problem, observed(problem)


def suggest(problem, known, seed):
    found = gp.suggest(candidates_of(problem), known, seed)
    return found and found.point


def observed(problem, sign=1.0):
    completed = []
    for point in problem.design:
        configuration = RANKS.decode(point)
        values = toy_problem.values(problem, configuration)
        values[problem.modelled] *= sign
        errors = (0.0,) * len(values)
        completed.append(history.Observation(point, None, tuple(values), errors))
    seen = frozenset(identity_of(RANKS.decode(point)) for point in problem.design)
    return history.History(tuple(completed), (), seen)


def fronts(sampler, problem, trials, seed):
    study = toy_problem.searched(sampler, problem, trials, seed=seed)
    rows = [
        (toy_problem.score(c), toy_problem.size(c))
        for c in map(RANKS.decode, toy_problem.points(study, problem))
    ]
    logs = [(score, math.log(size)) for score, size in rows]
    return pareto.hypervolume(logs, (0.5, math.log(300.0)), ("maximize", "minimize"))


def test_too_little_to_model_proposes_nothing():
    problem = designed(gp.LEAST_OBSERVATIONS - 1)
    assert suggest(problem, observed(problem), 0) is None


def test_a_failed_fit_proposes_nothing(started, monkeypatch):
    problem, known = started
    assert gp.suggest(candidates_of(problem), known, 0, fit=lambda data: None) is None


def test_trials_that_all_learnt_nothing_propose_nothing(started):
    problem, known = started
    equal = []
    for trial in known.completed:
        values, errors = list(trial.values), list(trial.errors)
        values[problem.modelled], errors[problem.modelled] = 0.5, 0.02
        equal.append(dataclasses.replace(trial, values=tuple(values), errors=tuple(errors)))
    dead = dataclasses.replace(known, completed=tuple(equal))
    assert suggest(problem, dead, 0) is None
    assert suggest(problem, known, 0) is not None


def test_the_model_beats_chance():
    problem = designed(8)
    model = fronts("gp", problem, 20, 0)
    chance = max(fronts("random", problem, 20, seed) for seed in (1, 2, 3))
    assert model > chance


def test_a_suggestion_is_feasible_and_new(started):
    problem, known = started
    found = RANKS.decode(suggest(problem, known, 3))
    assert problem.feasible(found)
    assert identity_of(found) not in known.seen


def test_the_same_history_and_seed_give_the_same_suggestion(started):
    first = suggest(*started, 3)
    surrogate.fit.cache_clear()
    assert suggest(*started, 3) == first


def test_running_trials_push_the_next_suggestion_elsewhere(started):
    problem, known = started
    first = suggest(problem, known, 3)
    seen = known.seen | {identity_of(RANKS.decode(first))}
    only_seen = dataclasses.replace(known, seen=seen)
    believed = dataclasses.replace(only_seen, running=(first,))
    second, third = suggest(problem, only_seen, 3), suggest(problem, believed, 3)
    assert first not in (second, third)
    distance = [sum(a != b for a, b in zip(first, p, strict=True)) for p in (second, third)]
    assert distance[1] > 1


def test_a_batch_holds_distinct_points():
    problem = designed(8)
    study = toy_problem.searched("gp", problem, 8)
    batch = [toy_problem.asked(study, "gp", problem)[1] for _ in range(3)]
    assert len(set(map(identity_of, batch))) == 3


def test_a_baseline_outside_the_space_raises_the_front(started):
    problem, known = started
    perfect = Configuration((Placement("3.mlp", "adapter", {"bottleneck": 3}),), 1e-3)
    values = (2.0, toy_problem.size(perfect))
    outside = history.Observation(None, perfect, values, (0.0, 0.0))
    beaten = dataclasses.replace(known, completed=(*known.completed, outside))
    # Nothing as large as the perfect baseline is worth trying.
    assert toy_problem.size(RANKS.decode(suggest(problem, beaten, 0))) < values[1]


def test_a_modelled_objective_may_be_minimised(started):
    problem, known = started
    turned = dataclasses.replace(problem, directions=("minimize", "minimize"))
    assert suggest(turned, observed(problem, sign=-1.0), 3) == suggest(problem, known, 3)


@pytest.mark.parametrize("costs", [0, 2])
def test_any_number_of_costs(costs):
    problem = designed(8, costs=costs)
    study = toy_problem.searched("gp", problem, 11)
    origins = toy_problem.points(study, problem)
    assert len(set(origins)) == 11
    best = max(toy_problem.score(RANKS.decode(p)) for p in origins[8:])
    if costs == 0:
        assert best > max(toy_problem.score(RANKS.decode(p)) for p in origins[:8])


def test_ties_and_failures_do_not_stop_it():
    problem = designed(8)
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number in range(13):
        trial, configuration = toy_problem.asked(study, "gp", problem)
        if number % 5 == 4:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, [0.5, *problem.costs(configuration)])
    assert len(set(toy_problem.points(study, problem))) == 13
