"""An answer about a study is worked out once, and not kept longer than the study."""

from __future__ import annotations

import gc
import importlib
import weakref
from typing import Any

from autopeft.types import Results
from tests import results_fixture as fixture

once: Any = importlib.import_module("autopeft.reports._once").once


def test_a_study_is_asked_about_once() -> None:
    asked: list[str] = []

    def count(results: Results) -> int:
        asked.append(results.study)
        return len(results.trials)

    answered = once(count)
    first, second = fixture.of_trials(()), fixture.of_trials(fixture.trials()[:2])
    assert [answered(first), answered(second), answered(first)] == [0, 2, 0]
    assert len(asked) == 2


def test_a_study_that_is_gone_is_forgotten() -> None:
    answered = once(lambda results: len(results.trials))
    results = fixture.of_trials(())
    answered(results)
    gone = weakref.ref(results)
    del results
    gc.collect()
    assert gone() is None
    assert answered(fixture.of_trials(fixture.trials()[:3])) == 3
