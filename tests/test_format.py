"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from autopeft import format as words
from autopeft.types import Measured


@pytest.mark.parametrize(
    ("value", "error", "unit", "expected"),
    [
        (89.2134, 0.4213, "", "89.2 ± 0.4"),
        (89.2134, 0.4213, "%", "89.2 ± 0.4 %"),
        (89.2134, 0.0421, "", "89.21 ± 0.04"),
        (0.78631, 0.29912, "points", "0.79 ± 0.30 points"),
        (50.2, 12.3, "", "50 ± 12"),
        (88.6, 1e-9, "%", "88.6 %"),
        (0.11034, 0, "%", "0.110 %"),
        (99.96, 0, "%", "100 %"),
        (0, 0.2, "%", "0.00 ± 0.20 %"),
        (0, 0, "%", "0 %"),
        (-1.234, 0, "", "-1.23"),
        (123456, 0, "", "123456"),
        (3.42e9, 1.2e7, "B", "3.420 ± 0.012 GB"),
        (math.nan, 0.1, "%", "\N{EN DASH}"),
        (math.inf, math.inf, "%", "inf %"),
        (50, math.nan, "%", "50.0 %"),
    ],
)
def test_measured(value: float, error: float, unit: str, expected: str) -> None:
    assert words.measured(Measured(value, error), unit) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0 B"), (812, "812 B"), (1500, "1.50 kB"), (999.7e6, "1.00 GB"), (2.4e10, "24.0 GB")],
)
def test_bytes(value: float, expected: str) -> None:
    assert words.bytes_text(value) == expected


def test_quantity_has_no_error() -> None:
    assert words.quantity(12.04, "ms") == "12.0 ms"


def test_counts_and_rates() -> None:
    assert words.count_text(294912.0) == "294,912"
    assert words.count_text(math.nan) == "\N{EN DASH}"
    assert words.rate_text(3e-4) == "0.0003"
    assert words.rate_text(5e-5) == "5e-05"
