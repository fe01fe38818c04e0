"""What the comparison with another campaign says beside its figures."""

from __future__ import annotations

import pytest

from automl.report.against_words import at_budget
from automl.report.settings import Budget

TRIALS = Budget(device_seconds=None, trials=12, wall_seconds=None)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (TRIALS, ""),
        (Budget(None, 6, None), ", at another budget (6 trials, was 12 trials)"),
        (Budget(60.0, None, None), ", at another budget (60 device seconds, was 12 trials)"),
        (Budget(60.0, 12, None), ", at another budget (60 device seconds, 12 trials, was 12 trials)"),
    ],
)
def test_another_budget_is_told(now: Budget, told: str) -> None:
    assert at_budget(now, TRIALS) == told
