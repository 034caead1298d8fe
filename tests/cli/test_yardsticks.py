"""Scores from elsewhere, as they are typed."""

from __future__ import annotations

import pytest

from autopeft.cli.yardsticks import parsed
from autopeft.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full fine-tuning=89.1", ("full fine-tuning", 89.1, 0.0)),
        ("full fine-tuning=89.1±0.4", ("full fine-tuning", 89.1, 0.4)),
        (" a = -1e-3 +- 0.5 ", ("a", -0.001, 0.5)),
        ("<b>=1", ("<b>", 1.0, 0.0)),
    ],
)
def test_a_name_a_score_and_maybe_an_error(text: str, expected: tuple[str, float, float]) -> None:
    assert tuple(parsed(text).values()) == expected


@pytest.mark.parametrize(
    "text", ["", "89.1", "=89.1", "a=", "a=b", "a=nan", "a=1±-1", "a=1±", "a=inf"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a yardstick"):
        parsed(text)
