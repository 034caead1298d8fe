"""Peak memory of really training this configuration alone, in bytes.

Measured where a GPU is at hand, otherwise predicted; a record holds both where it has both.
"""

from autopeft.types import Measured, Objective, Outcome


def peak(outcome: Outcome) -> Measured:
    """Bytes, measured if possible."""
    measured = outcome.measurements.get("memory_measured")
    return measured if measured is not None else outcome.measurements["memory_predicted"]


OBJECTIVE = Objective(
    label="Peak memory", unit="B", direction="minimize", stage="probe", value=peak
)
