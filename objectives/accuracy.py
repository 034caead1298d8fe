"""The task's metric on held-out data, in percent; its error is one standard error."""

from autopeft.types import Measured, Objective, Outcome


def percent(outcome: Outcome) -> Measured:
    """The score and its error, as percent."""
    score = outcome.measurements["score"]
    return Measured(100 * score.value, 100 * score.error)


OBJECTIVE = Objective(
    label="Accuracy", unit="%", direction="maximize", stage="proxy", value=percent
)
