"""The shipped objectives: their contract, and their values by hand."""

from __future__ import annotations

from autopeft import catalog
from autopeft.testing import ObjectiveContract
from autopeft.types import Configuration, Measured, Outcome

OUTCOME = Outcome(
    Configuration((), 1e-3),
    {
        "score": Measured(0.75, 0.02),
        "trainable": Measured(5),
        "frozen": Measured(1_000),
        "memory_predicted": Measured(2_000.0),
        "multiply_adds": Measured(900),
        "multiply_adds_frozen": Measured(1_200),
    },
)


class TestAccuracy(ObjectiveContract):
    name = "accuracy"

    def test_value(self) -> None:
        assert catalog.objectives.load(self.name).value(OUTCOME) == Measured(75.0, 2.0)


class TestTrainableParameters(ObjectiveContract):
    name = "trainable_parameters"

    def test_value(self) -> None:
        assert catalog.objectives.load(self.name).value(OUTCOME) == Measured(0.5)


class TestPeakMemory(ObjectiveContract):
    name = "peak_memory"

    def test_predicted(self) -> None:
        assert catalog.objectives.load(self.name).value(OUTCOME) == Measured(2_000.0)

    def test_measured_goes_before_predicted(self) -> None:
        measured = {**OUTCOME.measurements, "memory_measured": Measured(3_000.0)}
        outcome = Outcome(OUTCOME.configuration, measured)
        assert catalog.objectives.load(self.name).value(outcome) == Measured(3_000.0)


class TestCompute(ObjectiveContract):
    name = "compute"

    def test_value(self) -> None:
        assert catalog.objectives.load(self.name).value(OUTCOME) == Measured(75.0)
