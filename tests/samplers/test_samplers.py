import dataclasses

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from autopeft import catalog
from autopeft.optimiser import gp, hyperparameters
from autopeft.optimiser.candidates import identity_of
from autopeft.optimiser.designed import Exhausted
from autopeft.optimiser.generations import POPULATION
from autopeft.optimiser.initial_design import spread
from tests import toy_problem

SAMPLERS = ["gp", "nsga2", "random", "tpe"]
"""Those that need no extra."""
SWITCHES = toy_problem.expanded(toy_problem.SWITCHES)
TINY = toy_problem.expanded(toy_problem.TINY)
OUTSIDE = toy_problem.expanded(toy_problem.RANKS).decode((1,) * 8 + (3,))


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Short fits and searches: these tests are about what is suggested, not how well."""
    monkeypatch.setattr(hyperparameters, "STEPS", 15)
    monkeypatch.setattr(gp, "EVALUATIONS", 400)


def designed(**settings):
    problem = toy_problem.problem(SWITCHES, **settings)
    return dataclasses.replace(problem, design=spread(problem, 4, 0))


def test_these_are_all():
    assert catalog.samplers.names() == sorted([*SAMPLERS, "saas"])


def test_labels_say_what_they_are():
    labels = {catalog.samplers.load(name).label for name in SAMPLERS}
    assert len(labels) == 4
    assert "budget-stratified random" in labels


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_suggestions_are_designed_feasible_and_distinct(sampler):
    problem, trials = designed(), 11 if sampler == "gp" else 2 * POPULATION + 8
    points = toy_problem.points(toy_problem.searched(sampler, problem, trials), problem)
    found = [SWITCHES.decode(p) for p in points]
    assert tuple(points[:4]) == problem.design
    assert all(map(problem.feasible, found))
    assert len(set(map(identity_of, found))) == trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_reopened_at_any_trial_goes_on_as_if_nothing_had_been(sampler, tmp_path):
    problem, trials = designed(), 9 if sampler == "gp" else POPULATION + 3

    def opened():
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(tmp_path / "journal"))),
            study_name="study",
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )

    for stop in range(1, trials + 1):
        toy_problem.searched(sampler, problem, stop, study=opened())
    through = toy_problem.searched(sampler, problem, trials)
    assert toy_problem.points(opened(), problem) == toy_problem.points(through, problem)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_baselines_failures_and_running_trials_are_survived(sampler):
    problem = designed(costs=2)
    study = optuna.create_study(directions=list(problem.directions))
    toy_problem.baseline(study, OUTSIDE, [0.6, 100.0, 1e6])
    for number in range(12):
        trial, configuration = toy_problem.asked(study, sampler, problem)
        if number % 4 == 1:
            study.tell(trial, state=TrialState.FAIL)
        elif number % 4 != 2:
            study.tell(trial, toy_problem.values(problem, configuration))
    assert len(set(toy_problem.points(study, problem))) == 12


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_space_that_is_used_up_ends_politely(sampler):
    problem = toy_problem.problem(TINY)
    study = toy_problem.searched(sampler, problem, 4)
    with pytest.raises(Exhausted):
        toy_problem.asked(study, sampler, problem)
    assert len(set(toy_problem.points(study, problem))) == 4


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_space_of_one_point_ends_after_it(sampler):
    text = toy_problem.TINY.replace("[0, 1, 2]", "[2]").replace("[1.0e-4, 1.0e-3]", "[1.0e-3]")
    problem = toy_problem.problem(toy_problem.expanded(text))
    study = toy_problem.searched(sampler, problem, 1)
    with pytest.raises(Exhausted):
        toy_problem.asked(study, sampler, problem)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.FAIL]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_another_seed_gives_other_suggestions(sampler):
    problem = designed()
    one, two = (toy_problem.searched(sampler, problem, 8, seed=s) for s in (1, 2))
    assert toy_problem.points(one, problem) != toy_problem.points(two, problem)


def test_nsga2_breeds_from_the_initial_design():
    problem = toy_problem.problem(SWITCHES)
    problem = dataclasses.replace(problem, design=spread(problem, POPULATION, 0))
    study = toy_problem.searched("nsga2", problem, POPULATION)
    sampler = catalog.samplers.load("nsga2").build(problem, 5)
    study.sampler = sampler
    toy_problem.asked(study, "nsga2", problem)
    assert study.sampler.origin == "model"
