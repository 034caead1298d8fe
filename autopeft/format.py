"""Numbers as people read them: three significant digits, units, and ± one standard error."""

from __future__ import annotations

import math

from autopeft.types import Measured

MISSING = "\N{EN DASH}"
DIGITS = 3
BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def quantity(value: float, unit: str) -> str:
    """A number and its unit, such as `89.2 %`, `3.42 GB` or `12.0 ms`; a dash for NaN."""
    return measured(Measured(value), unit)


def measured(result: Measured, unit: str) -> str:
    """A number, its standard error and the unit, such as `89.2 ± 0.4 %`; no error when exact.

    Pass an empty unit where a column heading already carries it.
    """
    if math.isnan(result.value):
        return MISSING
    scale, shown = byte_scale(result.value) if unit == "B" else (1.0, unit)
    value, error = result.value / scale, result.error / scale
    decimals = 0 if shown == "B" else _decimals(value)
    return f"{_with_error(value, error, decimals)} {shown}".rstrip()


def bytes_text(value: float) -> str:
    """Bytes in decimal units, such as `3.42 GB` or `812 B`."""
    return quantity(value, "B")


def byte_scale(value: float) -> tuple[float, str]:
    """The divisor and the unit in which that many bytes read best."""
    for power, unit in enumerate(BYTE_UNITS):
        scale = 1000.0**power
        if abs(value) / scale < 999.5 or unit == BYTE_UNITS[-1]:
            break
    return scale, unit


def count_text(value: float) -> str:
    """A whole number with its thousands apart, such as `294,912`; a dash for NaN."""
    return MISSING if math.isnan(value) else f"{value:,.0f}"


def rate_text(value: float) -> str:
    """A learning rate, such as `0.0003` or `5e-05`."""
    return MISSING if math.isnan(value) else f"{value:.{DIGITS}g}"


def _with_error(value: float, error: float, decimals: int) -> str:
    """The value to the digits that its error leaves; alone if the error is tiny.

    An error that begins with 1 or 2 keeps two digits, as rounding it to one would change it much.
    """
    if not 0 < error < math.inf:
        return f"{value:.{decimals}f}"
    exponent = math.floor(math.log10(error))
    digits = 1 if round(error / 10**exponent, 6) >= 3 else 2
    wanted = max(0, digits - 1 - exponent)
    if wanted > decimals + 2:
        return f"{value:.{decimals}f}"
    return f"{value:.{wanted}f} \N{PLUS-MINUS SIGN} {error:.{wanted}f}"


def _decimals(value: float) -> int:
    """Decimals that leave three significant digits."""
    if value == 0 or not math.isfinite(value):
        return 0
    exponent = int(f"{abs(value):.{DIGITS - 1}e}".partition("e")[2])
    return max(DIGITS - 1 - exponent, 0)
