"""Trained PEFT parameters as a share of the frozen backbone's; the head is not counted."""

from autopeft.types import Measured, Objective, Outcome


def share(outcome: Outcome) -> Measured:
    """Percent of the backbone's parameters."""
    trainable, frozen = (outcome.measurements[name].value for name in ("trainable", "frozen"))
    return Measured(100 * trainable / frozen)


OBJECTIVE = Objective(
    label="Trainable parameters", unit="%", direction="minimize", stage="count", value=share
)
