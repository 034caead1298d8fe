"""A study's storage: an Optuna journal that only whole, known facts are written to.

With `samplers/` and `optimiser/` the only place that imports Optuna. A trial carries its
configuration before it is trained and its record before it is told, so that after a kill every
trial is either finished or can run again as it was asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft import digest
from autopeft.errors import StudyError
from autopeft.study.journal import quiet, storage, writing
from autopeft.types import AGAIN, BASELINE, Configuration, Direction, Measured, Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

SCHEMA = "autopeft.study/1"
STUDY = "autopeft"


@dataclass(frozen=True)
class Asked:
    """A trial that has been asked for."""

    number: int
    configuration: Configuration
    running: bool


class Ledger:
    """One study in one journal file."""

    def __init__(self, path: Path, study: Study) -> None:
        self.path = path
        self.study = study
        # Optuna copies every attribute on each access.
        self._facts = dict(study.user_attrs)

    # --- opening ------------------------------------------------------------------------------

    @staticmethod
    def create(path: Path, directions: Mapping[str, Direction], about: Mapping[str, Any]) -> Ledger:
        """A new study.

        Args:
            path: of the journal; its folder must be writable.
            directions: objective name -> `maximize` or `minimize`, in order.
            about: plain data: what the study is about.

        Raises:
            StudyError: the file cannot be written.
        """
        import optuna

        with quiet(), writing(path):
            study = optuna.create_study(
                storage=storage(path), study_name=STUDY, directions=list(directions.values())
            )
            study.set_metric_names(list(directions))
            study.set_user_attr("schema", SCHEMA)
            study.set_user_attr("about", dict(about))
        return Ledger(path, study)

    @staticmethod
    def open(path: Path) -> Ledger:
        """A study that exists.

        Raises:
            StudyError: there is no such file, or it is not an AutoPEFT study.
        """
        import optuna

        if not path.is_file():
            hint = "`autopeft search` makes one; its first line names the file"
            raise StudyError(f"there is no study `{path}`", hint=hint)
        hint = "name another file with `--study`; this one is left as it is"
        try:
            with quiet():
                study = optuna.load_study(study_name=STUDY, storage=storage(path))
                known = study.user_attrs.get("schema")
        except PermissionError:
            raise StudyError(f"cannot read study `{path}`: permission denied") from None
        except Exception as error:
            reason = f"`{path}` is not an AutoPEFT study, or is damaged"
            raise StudyError(f"{reason} ({type(error).__name__})", hint=hint) from error
        if known != SCHEMA or "about" not in study.user_attrs:
            raise StudyError(f"`{path}` is not a study of this version of AutoPEFT", hint=hint)
        return Ledger(path, study)

    # --- facts about the study ----------------------------------------------------------------

    @property
    def about(self) -> dict[str, Any]:
        """What the study is about."""
        return dict(self._facts["about"])

    def remember(self, name: str, value: Any) -> None:
        """Store a fact that a resumed search must find again."""
        with writing(self.path):
            self.study.set_user_attr(name, value)
        self._facts[name] = value

    def recall(self, name: str) -> Any:
        """A remembered fact, or None."""
        return self._facts.get(name)

    def recall_all(self, prefix: str) -> dict[str, Any]:
        """The remembered facts whose names begin so, by the rest of the name."""
        found = {n: v for n, v in self._facts.items() if n.startswith(prefix)}
        return {name.removeprefix(prefix): value for name, value in found.items()}

    # --- asking -------------------------------------------------------------------------------

    def ask_baseline(self, configuration: Configuration, label: str) -> Asked:
        """A trial of a given configuration, which need not be in the space."""
        number = self._open_trial({})
        return self._keep(number, configuration, f"{BASELINE}{label}")

    def ask(
        self,
        sampler: BaseSampler,
        space: Mapping[str, BaseDistribution],
        decode: Callable[[Mapping[str, Value]], Configuration],
        *,
        origin: Callable[[Configuration], str],
    ) -> Asked:
        """A trial that a sampler proposes."""
        self.study.sampler = sampler
        number = self._open_trial(space)
        params = self.study.get_trials(deepcopy=False)[number].params
        configuration = decode(params)
        gain = getattr(sampler, "expected_gain", None)
        if gain is not None and math.isfinite(gain):
            self._set(number, "expected_gain", gain)
        return self._keep(number, configuration, origin(configuration))

    def ask_again(self, number: int, space: Mapping[str, BaseDistribution]) -> Asked:
        """A trial of the configuration of a stopped one."""
        import optuna

        stopped = next(trial for trial in self.trials() if trial.number == number)
        configuration = _asked(stopped).configuration
        with quiet():
            same = optuna.samplers.PartialFixedSampler(
                stopped.params, optuna.samplers.RandomSampler()
            )
        return self.ask(
            same, space, lambda params: configuration, origin=lambda c: f"{AGAIN}{number}"
        )

    def _open_trial(self, space: Mapping[str, BaseDistribution]) -> int:
        """A new trial, or the one that a kill cut short before it was complete."""
        import optuna

        with writing(self.path), quiet():
            for known in self.study.get_trials(deepcopy=False):
                if known.state.name == "RUNNING" and _bare(known):
                    trial = optuna.trial.Trial(self.study, known._trial_id)
                    for name, distribution in space.items():
                        trial._suggest(name, distribution)
                    return known.number
            return self.study.ask(fixed_distributions=dict(space)).number

    def _keep(self, number: int, configuration: Configuration, origin: str) -> Asked:
        self._set(number, "digest", digest.of_configuration(configuration))
        self._set(number, "origin", origin)
        self._set(number, "configuration", configuration.to_json())
        return Asked(number, configuration, True)

    def guess(self, number: int, value: float) -> None:
        """Keep what was expected of a trial before it was trained; larger is better."""
        self._set(number, "guess", value)

    def asked(self) -> list[Asked]:
        """Every trial, finished or not, in order."""
        return [_asked(trial) for trial in self.trials()]

    # --- telling ------------------------------------------------------------------------------

    def tell(self, number: int, values: Mapping[str, Measured], record: Mapping[str, Any]) -> None:
        """Finish a trial with its objective values; `record` holds all measurements."""
        self._set(number, "record", dict(record))
        self._set(number, "errors", [m.error for m in values.values()])
        with writing(self.path):
            self.study.tell(number, [m.value for m in values.values()])

    def tell_failed(self, number: int, message: str, record: Mapping[str, Any]) -> None:
        """Finish a trial that has no values."""
        import optuna

        self._set(number, "record", dict(record))
        self._set(number, "message", message)
        with writing(self.path):
            self.study.tell(number, state=optuna.trial.TrialState.FAIL)

    def tell_stopped(
        self,
        number: int,
        message: str,
        expected: Mapping[str, Measured],
        record: Mapping[str, Any],
    ) -> None:
        """Finish a trial that is not trained to its end, with the values it was expected to have.

        Optuna knows it as pruned.
        """
        import optuna

        self._set(number, "record", dict(record))
        self._set(number, "message", message)
        self._set(number, "expected", [m.value for m in expected.values()])
        self._set(number, "errors", [m.error for m in expected.values()])
        with writing(self.path):
            self.study.tell(number, state=optuna.trial.TrialState.PRUNED)

    def _set(self, number: int, name: str, value: Any) -> None:
        with writing(self.path):
            trial = self.study.get_trials(deepcopy=False)[number]
            self.study._storage.set_trial_user_attr(trial._trial_id, name, value)

    # --- reading ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return sum(1 for _ in self.trials())

    def trials(self) -> Iterator[FrozenTrial]:
        """Every trial whose configuration is known, as Optuna holds it."""
        for trial in self.study.get_trials(deepcopy=False):
            if not _bare(trial):
                yield trial


def _bare(trial: FrozenTrial) -> bool:
    return "configuration" not in trial.user_attrs


def _asked(trial: FrozenTrial) -> Asked:
    configuration = Configuration.from_json(trial.user_attrs["configuration"])
    return Asked(trial.number, configuration, not trial.state.is_finished())


def measurements_json(measurements: Mapping[str, Measured]) -> dict[str, list[float]]:
    """Measurements as pairs of value and standard error."""
    return {name: [m.value, m.error] for name, m in measurements.items()}
