"""NSGA-II whose generations are a function of the finished trials alone.

Optuna stores the generation with each trial it suggested itself, so the initial design would never
breed. Here every finished trial belongs to a generation, in order of its number.
"""

from __future__ import annotations

from optuna.samplers import NSGAIISampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

POPULATION = 20
"""Small, because studies are: five generations in a hundred trials."""


class GenerationSampler(NSGAIISampler):
    """Optuna's NSGA-II with generations counted from the history."""

    def __init__(self, seed: int) -> None:
        super().__init__(population_size=POPULATION, seed=seed)

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        """How many populations were finished before the trial."""
        return len(self._finished(study, before=trial.number)) // POPULATION

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """The finished trials of one generation."""
        return self._finished(study)[generation * POPULATION : (generation + 1) * POPULATION]

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Those that survived up to a generation; none before the first."""
        return self.select_parent(study, generation) if generation else []

    def _finished(self, study: Study, before: int | None = None) -> list[FrozenTrial]:
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [t for t in trials if before is None or t.number < before]
