"""Scores from elsewhere that a report draws beside the front, such as that of full fine-tuning."""

from __future__ import annotations

import math
import re
from typing import Any

from autopeft.errors import UsageError

FORM = re.compile(
    r"(?P<name>[^=]*[^=\s])\s*=\s*(?P<value>[^\s±+]+)(?:\s*(?:±|\+-)\s*(?P<error>\S+))?"
)


def parsed(text: str) -> dict[str, Any]:
    """Name, value and standard error of `NAME=SCORE` or `NAME=SCORE±ERROR`.

    Raises:
        UsageError: the text has another form.
    """
    found = FORM.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        value, error = float(found["value"]), float(found["error"] or 0)
        if not math.isfinite(value) or not 0 <= error < math.inf:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"`{text}` is not a yardstick",
            hint="write 'full fine-tuning=89.1±0.4', in the unit of the first objective",
        ) from None
    return {"name": found["name"], "value": value, "error": error}
