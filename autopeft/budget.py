"""What a configuration costs before any training: parameters, and shares of the backbone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from autopeft.errors import UsageError
from autopeft.types import Backbone, Configuration, Count, PeftModule

UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
}


def count(
    configuration: Configuration, backbone: Backbone, modules: Mapping[str, PeftModule]
) -> Count:
    """Trained PEFT parameters, the head left out, exactly and as the papers count them."""
    parameters = published = 0
    for placement in configuration.placements:
        one = modules[placement.module].count(backbone.site(placement.site), placement.settings)
        parameters += one.parameters
        published += one.published
    return Count(parameters, published)


def percent(text: str) -> float:
    """`0.5%` -> 0.5.

    Raises:
        UsageError: not a percentage above 0 and up to 100.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%?\s*", text)
    if not match:
        hint = "a budget is a share of the backbone's parameters, such as `--budget 0.5%`"
        raise UsageError(f"budget `{text}` is not a percentage", hint=hint)
    value = float(match[1])
    if not 0 < value <= 100:
        raise UsageError(f"budget `{text}` is not above 0 % and at most 100 %")
    return value


def size(text: str, *, option: str = "--memory") -> int:
    """`24GB` -> bytes.

    Raises:
        UsageError: not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if not match or match[2].upper() not in UNITS or float(match[1]) <= 0:
        raise UsageError(f"`{option} {text}` is not a size", hint=f"write it as `{option} 24GB`")
    return int(float(match[1]) * UNITS[match[2].upper()])


def seconds(text: str) -> float:
    """`2h`, `30min`, `90s` or `90` -> seconds.

    Raises:
        UsageError: not a duration.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h)?\s*", text)
    if not match or float(match[1]) <= 0:
        raise UsageError(
            f"timeout `{text}` is not a duration", hint="write it as `--timeout 30min`"
        )
    factor = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
    return float(match[1]) * factor[match[2] or "s"]
