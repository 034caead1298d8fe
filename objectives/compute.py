"""Multiply-adds of one forward pass of what is shipped, in percent of the frozen backbone's.

Counted for one row of as many tokens as training sees at most; the head is not counted. Modules
that can be merged cost nothing, others what they add, and a skipped layer is not counted. A module
that decides in training what it skips is counted by its share before, and by what it ships after.
"""

from autopeft.types import Measured, Objective, Outcome


def share(outcome: Outcome) -> Measured:
    """Percent of the backbone's multiply-adds."""
    names = ("multiply_adds", "multiply_adds_frozen")
    shipped, frozen = (outcome.measurements[name].value for name in names)
    return Measured(100 * shipped / frozen)


OBJECTIVE = Objective(label="Compute", unit="%", direction="minimize", stage="count", value=share)
